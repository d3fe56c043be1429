"""The notebook of a run: names, hypotheses, scores, verdicts and lessons in the order they came.

Written from the record of events alone, so a replayed run gives the same bytes. A hypothesis is
scored by its direction: the expected `better`, `worse` or `same` against what really happened.
What it is compared with was known when the pattern was asked for: the better of its parents if
they were scored, else the best trial told by then. Two scores are the same if they differ by no
more than `noise`, one standard deviation of a score over seeds.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nasarena.agents.context.trial_text import cause, score_text
from nasarena.agents.llm.text import one_line
from nasarena.agents.policies.policy import best, operator_of
from nasarena.search.run_folder import RunRecord
from nasarena.search.trial import Trial

Direction = Literal["better", "worse", "same"]
NOTEBOOK = "notebook.md"


def write_notebook(run: RunRecord, noise: float = 0.0) -> Path:
    """Write `notebook.md` into the run's own folder, in place of an earlier one."""
    path = run.path / NOTEBOOK
    path.write_text(notebook(run, noise), encoding="utf-8")
    return path


def notebook(run: RunRecord, noise: float = 0.0) -> str:
    """The notebook as text: one entry per trial, then how the hypotheses fared."""
    trials = run.trials()
    tally = Tally()
    lines = ["# Notebook", ""]
    for trial, known in zip(trials, _num_known_at_ask(run, trials), strict=True):
        lines += _entry(trial, reference(trial, trials, known), noise, tally)
    lines += ["## Hypotheses", "", *tally.lines()]
    lines += ["", "## Where the proposals came from", "", *_provenances(trials)]
    return "\n".join(lines) + "\n"


@dataclass(slots=True)
class Tally:
    """How often each direction was expected, and how often it came."""

    expected: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)

    def note(self, expected: str, came: Direction) -> bool:
        """Count one hypothesis; returns whether it was right."""
        self.expected[expected] += 1
        self.right[expected] += expected == came
        return expected == came

    @property
    def share(self) -> float | None:
        """Share of hypotheses whose direction was right; None if none could be judged."""
        total = self.expected.total()
        return self.right.total() / total if total else None

    def lines(self) -> list[str]:
        if self.share is None:
            return ["None could be judged."]
        rows = [
            f"| {expected} | {self.expected[expected]} | {self.right[expected]} |"
            for expected in ("better", "worse", "same")
        ]
        total = f"| all | {self.expected.total()} | {self.right.total()} ({self.share:.0%}) |"
        return ["| expected | hypotheses | right |", "|---|---|---|", *rows, total]


def hypotheses(run: RunRecord, noise: float = 0.0) -> Tally:
    """The tally alone, for tables."""
    trials, tally = run.trials(), Tally()
    for trial, known in zip(trials, _num_known_at_ask(run, trials), strict=True):
        came = direction(trial, reference(trial, trials, known), noise)
        if came is not None and trial.details.get("expected"):
            tally.note(trial.details["expected"], came)
    return tally


def reference(trial: Trial, trials: Sequence[Trial], num_known: int) -> Trial | None:
    """What a hypothesis is measured against: the better parent, else the best known by then."""
    parents = [trials[index] for index in trial.parents if index < num_known]
    return best(parents) or best(trials[:num_known])


def direction(trial: Trial, against: Trial | None, noise: float) -> Direction | None:
    """What came, as far as it can be told: None without two scores."""
    if trial.status != "ok" or trial.score is None or against is None or against.score is None:
        return None
    difference = trial.score - against.score
    if abs(difference) <= noise:
        return "same"
    return "better" if difference > 0 else "worse"


def _num_known_at_ask(run: RunRecord, trials: Sequence[Trial]) -> Iterator[int]:
    """For each trial, how many were known when it was asked for: a batch is asked at once."""
    firsts = [event["first"] for event in run.of_kind("asked")]
    batch = 0
    for trial in trials:
        while batch + 1 < len(firsts) and firsts[batch + 1] <= trial.index:
            batch += 1
        yield firsts[batch] if firsts else trial.index


def _entry(trial: Trial, against: Trial | None, noise: float, tally: Tally) -> list[str]:
    details = trial.details
    title = _plain(details.get("name", "") or operator_of(trial) or _words(trial.provenance))
    lines = [f"## {trial.index}. {title}", ""]
    if details.get("lesson"):
        lines += [f"*Lesson before it:* {_plain(details['lesson'])}", ""]
    pattern = one_line(trial.pattern, 60).replace("`", "'")
    lines.append(f"`{pattern}` {_came_to(trial, noise)} - {_origin(trial)}")
    if details.get("hypothesis"):
        lines += ["", f"> {_plain(details['hypothesis'])}"]
    verdict = _verdict(trial, against, noise, tally)
    return [*lines, *(["", verdict] if verdict else []), ""]


def _came_to(trial: Trial, noise: float) -> str:
    if trial.status == "ok":
        return f"score {score_text(trial.score, noise or None)}"
    return _plain(cause(trial))


def _origin(trial: Trial) -> str:
    parts = [operator_of(trial), trial.provenance if operator_of(trial) else ""]
    if trial.parents:
        parts.append("from " + " and ".join(map(str, trial.parents)))
    return ", ".join(part for part in parts if part) or _words(trial.provenance)


def _verdict(trial: Trial, against: Trial | None, noise: float, tally: Tally) -> str:
    expected = trial.details.get("expected", "")
    if not expected:
        return ""
    came = direction(trial, against, noise)
    if came is None or against is None:
        return f"Expected {expected}; cannot be judged."
    word = "right" if tally.note(expected, came) else "wrong"
    score = score_text(against.score, noise or None)
    return f"Expected {expected} against {against.index} ({score}), came out {came}: **{word}**."


def _provenances(trials: Sequence[Trial]) -> list[str]:
    counts = Counter(trial.provenance for trial in trials)
    rows = [f"| {name} | {count} |" for name, count in sorted(counts.items())]
    return ["| provenance | trials |", "|---|---|", *rows]


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


def _plain(text: str, limit: int = 400) -> str:
    """A model's words as text: on one line, with nothing that Markdown would act upon."""
    safe = one_line(text, limit)
    for sign in "\\`*_<>#|[]":
        safe = safe.replace(sign, f"\\{sign}")
    return safe
