"""Every trial of every run as columns, compressed, for the page's explorer and notebooks.

Columns are equally long lists over all trials, run after run; what few trials have (parents,
texts) is keyed by row, and what many trials share (origins, notes) is listed once. Numbers are
rounded for reading, the run folders hold them exactly. Long texts are cut, and cut shorter where
all of them together would not fit: first what language models were asked and answered, then what
searchers wrote.
"""

import base64
import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from nasarena.figures.report.dialogues import dialogues
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.benchmark import Benchmark
from nasarena.figures.results.rows import METERS
from nasarena.figures.results.run_selection import Run
from nasarena.search.notation import LETTERS
from nasarena.search.run_config import is_reference
from nasarena.search.trial import Trial

_MAX_CHARACTERS = 2_000_000  # of the report's five megabytes
_TEXT_LIMITS = (1000, 400, 160, 60, 20)
_LONGEST = _TEXT_LIMITS[0]
_EFFORT = 6  # of gzip: 9 takes three times as long and saves a hundredth
_DIALOGUE_LIMITS = (6000, 1500, 400, 0)  # of a prompt, and of a reply
_ENTRY = re.compile(r"^## (\d+)\. ", re.MULTILINE)
_JUDGED = re.compile(r"^Expected .*$", re.MULTILINE)


@dataclass(slots=True)
class _Columns:
    """The columns while they are filled."""

    dense: dict[str, list[Any]] = field(default_factory=dict)
    sparse: dict[str, dict[int, Any]] = field(default_factory=dict)
    origins: dict[str, int] = field(default_factory=dict)  # with their places
    notes: dict[str, int] = field(default_factory=dict)
    length: int = 0

    def add(self, trial: Trial, event: Mapping[str, Any], price: float) -> None:
        """One settled trial; what it lacks is left out."""
        dense = {
            "index": trial.index,
            "pattern": trial.pattern[:_LONGEST],
            "status": trial.status,
            "score": _round(trial.score),
            "fidelity": trial.fidelity,
            "price": _round(price),
            "flops": _round(trial.cost.flops, 4),
            "tokens": trial.cost.tokens,
            "device_s": _round(trial.cost.device_seconds, 4),
            "measured_s": _round(float(event.get("measured", {}).get("s", 0.0)), 3),
            "origin": self.origins.setdefault(trial.provenance, len(self.origins)),
            "note": self.notes.setdefault(trial.note[:_LONGEST], len(self.notes)),
        }
        for key, value in dense.items():
            self.dense.setdefault(key, []).append(value)
        # Not the score again, under its own name or turned round, and nothing that is zero.
        metrics = {
            key: _round(value)
            for key, value in trial.metrics.items()
            if value and abs(value) != abs(trial.score or 0.0)
        }
        sparse = {
            "parents": list(trial.parents),
            "repeats": trial.duplicate_of,
            "texts": {
                key[:40]: str(text)[:_LONGEST] for key, text in trial.details.items() if text
            },
            "metrics": metrics,
            "llm": trial.llm and [trial.llm.calls, _llm_tokens(trial)],
        }
        for key, value in sparse.items():
            if value is not None and value not in ([], {}, ""):
                self.sparse.setdefault(key, {})[self.length] = value
        self.length += 1


@dataclass(frozen=True, slots=True)
class Trials:
    """The packed trials: `content` is base64 of gzip of JSON; `text_limit` where texts were cut.

    `dialogue_limit` is that of prompts and replies of language models; None where there are none.
    """

    content: str
    num_trials: int
    num_runs: int
    text_limit: int
    dialogue_limit: int | None
    has_notebooks: bool


def pack_trials(analysis: Analysis, colors: Mapping[str, str]) -> Trials:
    """All trials of all runs, excluded ones too, small enough for the page."""
    tables, runs = analysis.tables, analysis.runs
    reasons = {(run.searcher, run.seed): run.reason for run in tables.excluded}
    said = [dialogues(run.record) for run in runs]
    limits = [(limit, _TEXT_LIMITS[0]) for limit in _DIALOGUE_LIMITS if any(said)]
    data = _collect(runs, reasons)
    data |= _truth(data["dense"].get("pattern", []), tables.benchmark)
    data |= {
        "unit": METERS[tables.unit].unit,
        "alphabet": (tables.condition["space"] or {}).get("alphabet", ""),
        "letters": {}
        if tables.is_synthetic
        else {letter: row.name for letter, row in LETTERS.items()},
        "colors": dict(colors),
    }
    texts = data["sparse"].get("texts", {})
    for dialogue_limit, limit in [*limits, *((0, limit) for limit in _TEXT_LIMITS)]:
        data["sparse"]["dialogue"] = _dialogue(data["runs"], said, dialogue_limit)
        data["sparse"]["texts"] = {
            row: {key: text[:limit] for key, text in own.items()} for row, own in texts.items()
        }
        text = json.dumps(data, separators=(",", ":"), allow_nan=False)
        content = base64.b64encode(gzip.compress(text.encode(), _EFFORT, mtime=0)).decode()
        if len(content) <= _MAX_CHARACTERS:
            break
    has_notebooks = bool(data["sparse"].get("texts") or data["sparse"].get("parents"))
    shown = dialogue_limit if any(said) else None
    return Trials(content, data["length"], len(runs), limit, shown, has_notebooks)


def _dialogue(
    runs: Sequence[Mapping[str, Any]],
    said: Sequence[Mapping[int, Sequence[tuple[str, str]]]],
    limit: int,
) -> dict[int, list[list[str]]]:
    """Prompt and reply of each call by row; a run's trials are counted from its first row."""
    if not limit:
        return {}
    return {
        run["first"] + index: [[_cut(text, limit) for text in call] for call in calls]
        for run, by_trial in zip(runs, said, strict=True)
        for index, calls in by_trial.items()
        if index < run["length"]
    }


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]} [cut]"


def _truth(patterns: Sequence[str], known: Benchmark | None) -> dict[str, Any]:
    """True score and rank of each row's pattern, as far as a benchmark knows them."""
    if known is None:
        return {"truth": None}
    scores = [_round(known.scores.get(pattern)) for pattern in patterns]
    ranks = [known.ranks.get(pattern) for pattern in patterns] if known.ranks else []
    best = _round(known.best)
    return {"truth": {"score": scores, "rank": ranks, "size": known.size, "best": best}}


def _collect(runs: Sequence[Run], reasons: Mapping[tuple[str, int | None], str]) -> dict[str, Any]:
    columns, described = _Columns(), []
    verdicts: dict[int, str] = {}
    for run in runs:
        first, spent = columns.length, 0.0
        judged = dict(_read_verdicts(run))
        for event in run.record.of_kind("settled"):
            trial = Trial.from_json(event["trial"])
            if trial.index in judged:
                verdicts[columns.length] = judged[trial.index]
            columns.add(trial, event, event["spent"] - spent)
            spent = event["spent"]
        settings = run.record.config["searcher"]
        described.append(
            {
                "searcher": run.searcher,
                "seed": run.seed,
                "state": run.record.state,
                "reason": reasons.get((run.searcher, run.seed), ""),
                "reference": is_reference(run.record.config),
                "llm": bool(settings.get("uses_llm")),
                "control": _control_name(settings),
                "first": first,
                "length": columns.length - first,
                "finals": list(_finals(run)),
            }
        )
    return {
        "runs": described,
        "dense": columns.dense,
        "sparse": columns.sparse | {"verdict": verdicts},
        "origins": list(columns.origins),
        "notes": list(columns.notes),
        "length": columns.length,
    }


def _control_name(settings: Mapping[str, Any]) -> str:
    """What was hidden from the searcher, by itself or by the harness."""
    own = (settings.get("options") or {}).get("control")
    return str(settings.get("control") or own or "none")


def _finals(run: Run) -> Iterator[tuple[str, str, float | None]]:
    """Pattern, status and score of each re-training on held-out data."""
    for event in run.record.of_kind("final"):
        outcome = event["outcome"]
        yield event["pattern"], outcome["status"], _round(outcome["score"])


def _read_verdicts(run: Run) -> Iterator[tuple[int, str]]:
    """What the run's notebook says became of each hypothesis, by trial index."""
    try:
        text = (run.record.path / "notebook.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return
    parts = _ENTRY.split(text)[1:]
    for index, entry in zip(parts[::2], parts[1::2], strict=True):
        if found := _JUDGED.search(entry):
            yield int(index), found[0].replace("*", "")[:200]


def _llm_tokens(trial: Trial) -> int:
    return trial.llm.prompt_tokens + trial.llm.completion_tokens if trial.llm else 0


def _round(value: float | None, digits: int = 6) -> float | None:
    if value is None or not isfinite(value):
        return None
    return float(f"{value:.{digits}g}")
