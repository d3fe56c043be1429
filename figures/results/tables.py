"""Run folders as tidy tables: one row per run, per trial, per re-training.

The decision to know: nothing is averaged over unequal sets. Only finished runs under one and the
same condition (proxy version, space, budget, loop settings) are kept, and of those the largest
complete block of searchers x seeds, so that every searcher has the same seeds. Every run that is
left out stands in `apart`, with the reason in words.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from nasarena.figures.results.benchmark import Benchmark, read_benchmark
from nasarena.figures.results.run_selection import (
    ExcludedRun,
    Run,
    RunSelection,
    control_of,
    select_runs,
)
from nasarena.search.fidelity import Payments, comparable
from nasarena.search.run_folder import RunRecord
from nasarena.search.trial import Trial

BASELINE = "random"  # the searcher every other is measured against


@dataclass(frozen=True, slots=True)
class Meter:
    """A way to count what a run has used: its unit in words, and its label on an axis."""

    unit: str
    label: str


# By the name of the cumulative column of `Tables.trials`; the first four are budget units.
METERS = {
    "trials": Meter("trials", "patterns trained (trials)"),
    "flops": Meter("FLOPs", "training FLOPs charged"),
    "tokens": Meter("tokens", "training tokens charged"),
    "device_seconds": Meter("device seconds", "device seconds charged (cost model)"),
    "measured_seconds": Meter("seconds", "seconds measured, searcher and training"),
}


@dataclass(frozen=True, slots=True)
class Tables:
    """A comparison as tables.

    `runs`: searcher, seed, state and totals. `trials`: one row per settled trial with the meters
    of `METERS` as cumulative columns and `best_so_far` (NaN before the first full score: a partial
    training, `fidelity` below 1, never counts). `finals`: one row per re-training. `references`:
    name, pattern, seed and `score` of each reference pattern, and `final`, the mean of `trainings`
    re-trainings. `condition` is what all kept runs share; `seeds` are the paired seeds.
    `controls`: as `runs`, for searchers behind permuted letters, with `control` (what was hidden)
    and `real` (the searcher without it).
    `benchmark`: what is known exactly, None where the proxy is trained.
    """

    runs: pd.DataFrame = field(repr=False)
    trials: pd.DataFrame = field(repr=False)
    finals: pd.DataFrame = field(repr=False)
    references: pd.DataFrame = field(repr=False)
    apart: tuple[ExcludedRun, ...]
    condition: Mapping[str, Any]
    provenance: tuple[Mapping[str, Any], ...] = field(repr=False)
    seeds: tuple[int, ...]
    data_hash: str
    name: str
    controls: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    benchmark: Benchmark | None = field(default=None, repr=False)

    @property
    def searchers(self) -> list[str]:
        """Searchers with complete runs on all paired seeds, in order of their name."""
        return sorted(self.runs["searcher"].unique())

    @property
    def unit(self) -> str:
        """The unit of the budget, which is a key of `METERS`."""
        return str(self.condition["budget"]["unit"])

    @property
    def seeds_in_words(self) -> str:
        """For the small print of a figure."""
        return "one seed" if len(self.seeds) == 1 else f"{len(self.seeds)} paired seeds"

    def by_seed(self, column: str) -> dict[str, list[float]]:
        """A column of `runs` for each searcher, in the order of `seeds`."""
        table = self.runs.pivot(index="seed", columns="searcher", values=column)
        return {name: table[name].astype(float).tolist() for name in self.searchers}


def read_frames(folder: Path) -> Tables:
    """The tables of all runs below `folder`, one comparison.

    Raises NasArenaError (one line) where there are no runs, where no condition is shared by more
    than half of them, or where two runs claim the same searcher and seed.
    """
    admitted = select_runs(folder)
    benchmark = read_benchmark(folder, admitted.condition)
    runs, trials, finals = [], [], []
    for run in admitted.ranked:
        key = {"searcher": run.searcher, "seed": run.seed}
        trial_rows, final_rows = _trial_rows(run.record), _final_rows(run.record)
        runs.append(key | _totals(run.record, trial_rows, final_rows))
        trials += [key | row for row in trial_rows]
        finals += [key | row for row in final_rows]
    return Tables(
        runs=_table(runs, RUN_COLUMNS),
        trials=_table(trials, TRIAL_COLUMNS),
        finals=_table(finals, FINAL_COLUMNS),
        references=_references(admitted.references),
        apart=tuple(admitted.apart),
        condition=admitted.condition,
        provenance=tuple(_provenance(run.record) for run in admitted.ranked),
        seeds=tuple(sorted({run.seed for run in admitted.ranked})),
        data_hash=_data_hash(admitted.everything, benchmark),
        name=folder.resolve().name,
        controls=_controls(admitted),
        benchmark=benchmark,
    )


RUN_COLUMNS = (
    "searcher seed reason budget_aware uses_llm spent num_trials num_trained num_failed "
    "num_duplicates num_invalid best_search search_of_finals final num_finals num_finals_failed "
    "searcher_seconds training_seconds llm_calls llm_tokens"
).split()
TRIAL_COLUMNS = (
    "searcher seed index pattern status score fidelity best_so_far provenance replicate parents "
    "duplicate_of name note price spent trials flops tokens device_seconds measured_seconds "
    "training_seconds"
).split()
CONTROL_COLUMNS = [*RUN_COLUMNS, "control", "real"]
FINAL_COLUMNS = "searcher seed pattern replicate status score search_score".split()
REFERENCE_COLUMNS = "name pattern seed score final trainings".split()


def _trial_rows(record: RunRecord) -> list[dict[str, Any]]:
    """Settled trials with running totals; free trials repeat the totals before them."""
    asked_seconds = _ask_seconds(record)
    used = dict.fromkeys(METERS, 0.0)
    best, spent, rows = float("nan"), 0.0, []
    paid = Payments()
    for event in record.of_kind("settled"):
        trial = Trial.from_json(event["trial"])
        seconds = float(event.get("measured", {}).get("s", 0.0))
        used["trials"] += _training_share(trial, paid)
        used["flops"] += trial.cost.flops
        used["tokens"] += trial.cost.tokens
        used["device_seconds"] += trial.cost.device_seconds
        used["measured_seconds"] += seconds + asked_seconds.get(trial.index, 0.0)
        counts = trial.status == "ok" and not trial.is_partial
        if counts and trial.score is not None and not trial.score <= best:
            best = trial.score
        price, spent = event["spent"] - spent, event["spent"]
        rows.append(
            {
                "index": trial.index,
                "pattern": trial.pattern,
                "status": trial.status,
                "score": trial.score,
                "fidelity": trial.fidelity,
                "best_so_far": best,
                "provenance": trial.provenance,
                "replicate": trial.replicate,
                "parents": " ".join(map(str, trial.parents)),
                "duplicate_of": trial.duplicate_of,
                "name": trial.details.get("name", ""),
                "note": trial.note,
                "price": price,
                "spent": spent,
                "training_seconds": seconds,
                **used,
            }
        )
    return rows


def _training_share(trial: Trial, paid: Payments) -> float:
    """How much of a full training this trial was: the increment where a part was trained before."""
    if trial.status not in ("ok", "failed"):
        return 0.0
    _, reached = paid.next(trial.pattern, trial.fidelity)
    paid.pay(trial.pattern, trial.replicate, trial.fidelity)
    return trial.fidelity - reached


def _ask_seconds(record: RunRecord) -> dict[int, float]:
    """Seconds the searcher took, by the index of the first trial that they were for."""
    return {
        event["first"]: float(
            event["measured"].get("ask_s", 0) + event["measured"].get("tell_s", 0)
        )
        for event in record.of_kind("asked")
    }


def _final_rows(record: RunRecord) -> list[dict[str, Any]]:
    search_scores: dict[str, float] = {}
    for trial in comparable(record.trials()):
        assert trial.score is not None
        best = max(trial.score, search_scores.get(trial.pattern, trial.score))
        search_scores[trial.pattern] = best
    return [
        {
            "pattern": event["pattern"],
            "replicate": event["replicate"],
            "status": event["outcome"]["status"],
            "score": event["outcome"]["score"],
            "search_score": search_scores.get(event["pattern"]),
        }
        for event in record.of_kind("final")
    ]


def _totals(
    record: RunRecord, trials: Sequence[Mapping[str, Any]], finals: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What a run comes to; `final` is the mean over its re-trainings that succeeded."""
    end = record.events[-1]
    status = pd.Series([row["status"] for row in trials], dtype=object).value_counts()
    retrained = pd.DataFrame(finals, columns=["score", "search_score"], dtype=float)
    llm = end.get("llm", {})
    searcher = record.config["searcher"]
    return {
        "reason": end.get("reason", ""),
        "budget_aware": bool(searcher.get("budget_aware", False)),
        "uses_llm": bool(searcher.get("uses_llm", False)),
        "spent": float(end["spent"]),
        "num_trials": len(trials),
        "num_trained": int(status.get("ok", 0) + status.get("failed", 0)),
        "num_failed": int(status.get("failed", 0)),
        "num_duplicates": int(status.get("duplicate", 0)),
        "num_invalid": int(status.get("invalid", 0)),
        "best_search": trials[-1]["best_so_far"] if trials else float("nan"),
        "search_of_finals": retrained["search_score"].mean(),
        "final": retrained["score"].mean(),
        "num_finals": len(finals),
        "num_finals_failed": int(retrained["score"].isna().sum()),
        "searcher_seconds": sum(_ask_seconds(record).values()),
        "training_seconds": sum(row["training_seconds"] for row in trials),
        "llm_calls": llm.get("calls", 0),
        "llm_tokens": llm.get("prompt_tokens", 0) + llm.get("completion_tokens", 0),
    }


def _controls(admitted: RunSelection) -> pd.DataFrame:
    rows = [
        {
            "searcher": run.searcher,
            "seed": run.seed,
            "control": control_of(run.record),
            "real": admitted.real[run.searcher],
            **_totals(run.record, _trial_rows(run.record), _final_rows(run.record)),
        }
        for run in admitted.controls
    ]
    return _table(rows, CONTROL_COLUMNS)


def _references(runs: Sequence[Run]) -> pd.DataFrame:
    rows = []
    for run in runs:
        finals = pd.DataFrame(_final_rows(run.record), columns=["pattern", "score"])
        held_out = finals.astype({"score": float}).groupby("pattern")["score"]
        means, counts = held_out.mean(), held_out.count()
        for trial in run.record.trials():
            rows.append(
                {
                    "name": trial.details.get("name", trial.pattern),
                    "pattern": trial.pattern,
                    "seed": run.seed,
                    "score": trial.score,
                    "final": means.get(trial.pattern),
                    "trainings": counts.get(trial.pattern, 0),
                }
            )
    return _table(rows, REFERENCE_COLUMNS)


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """A frame with these columns, whether or not there are rows; None becomes NaN in scores."""
    frame = pd.DataFrame({name: [row[name] for row in rows] for name in columns})
    for name in {"score", "final", "search_score"}.intersection(columns):
        frame[name] = frame[name].astype(float)
    return frame


def _provenance(record: RunRecord) -> Mapping[str, Any]:
    return {key: value for key, value in record.header.items() if key != "config"}


def _data_hash(runs: Sequence[Run], benchmark: Benchmark | None) -> str:
    """Hash of everything that was read, measured times included."""
    digest = hashlib.sha256(b"" if benchmark is None else benchmark.content.encode())
    for run in runs:
        content = [run.record.config, run.record.events]
        digest.update(json.dumps(content, sort_keys=True).encode())
    return digest.hexdigest()[:16]
