"""How a trial is written in a prompt or a notebook: one line each, and what that line costs.

Memory has to know the price of a line before a prompt exists, and no tokenizer is at hand for a
model behind a URL, so tokens are estimated from the text alone: one per capital letter, digit or
sign, one per four small letters. That is close for patterns and a little high for prose.
"""

from collections.abc import Sequence
from math import floor, log10

from nasarena.agents.llm.text import one_line
from nasarena.search.trial import Trial


def score_text(score: float | None, noise: float | None = None) -> str:
    """A score with the digits that mean something: one finer than the noise, else four."""
    if score is None:
        return "no score"
    if not noise:
        return f"{score:.4f}"
    decimals = min(8, max(0, 1 - floor(log10(noise))))
    return f"{score:.{decimals}f}"


def cause(trial: Trial) -> str:
    """Why a trial brought nothing new, in a few words."""
    if trial.status == "duplicate":
        return "duplicate, this pattern had been tried before"
    why = trial.details.get("error") or trial.note or "no cause given"
    return f"{trial.status}, {one_line(why, 160)}"


def shown_name(pattern: str, index: int | str) -> str:
    """A candidate in a line: itself, or its number where it is a text of many lines."""
    return pattern if "\n" not in pattern else f"program {index}"


def trial_line(trial: Trial, noise: float | None = None) -> str:
    """`PATTERN 0.1234 "name"`, or with the cause in place of a score.

    A program has no room in a line; its hypothesis stands for it.
    """
    name = one_line(trial.details.get("name", ""), 40)
    said = f' "{name}"' if name else ""
    shown = shown_name(trial.pattern, trial.index)
    if shown is not trial.pattern and trial.details.get("hypothesis"):
        said += f" - {trial.details['hypothesis']}"
    if trial.status == "ok":
        return f"{shown} {score_text(trial.score, noise)}{said}"
    return f"{one_line(shown, 60)} ({cause(trial)}){said}"


def trial_lines(
    trials: Sequence[Trial], noise: float | None = None, *, hypotheses: bool = False
) -> str:
    """Trials below each other; with `hypotheses`, also what was expected of each."""
    lines = []
    for trial in trials:
        said = trial.details.get("hypothesis", "") if hypotheses else ""
        lines.append(trial_line(trial, noise) + (f" - {said}" if said else ""))
    return "\n".join(lines)
