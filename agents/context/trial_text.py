"""How a trial is written in a prompt or a notebook: one line each, and what that line costs.

Memory has to know the price of a line before a prompt exists, and no tokenizer is at hand for a
model behind a URL, so tokens are estimated from the text alone: one per capital letter, digit or
sign, one per four small letters. That is close for patterns and a little high for prose.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

from nasarena.agents.context.form import PLAIN_FORM, Form
from nasarena.agents.llm.text import one_line
from nasarena.search.notation import run_lengths
from nasarena.search.trial import Trial


@dataclass(frozen=True, slots=True)
class LineStyle:
    """How lines about trials are written.

    `noise` sets the digits of scores; `known` are all scores so far, which ranks and differences
    are told from.
    """

    noise: float | None = None
    form: Form = PLAIN_FORM
    known: tuple[float, ...] = ()

    def score(self, score: float | None) -> str:
        """A score, its rank among those known, or its difference to the best of them."""
        if score is None or not self.known or self.form.scores == "raw":
            return score_text(score, self.noise)
        if self.form.scores == "rank":
            return f"#{1 + sum(other > score for other in self.known)}"
        text = score_text(score - max(self.known), self.noise)
        return text if text.startswith("-") else f"+{text}"

    def pattern(self, pattern: str) -> str:
        """A pattern in the notation of the form."""
        return run_lengths(pattern) if self.form.notation == "runs" else pattern


PLAIN_STYLE = LineStyle()


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


def trial_line(trial: Trial, style: LineStyle = PLAIN_STYLE) -> str:
    """`PATTERN 0.1234 "name"`, or with the cause in place of a score.

    A program has no room in a line; its hypothesis stands for it. A brief line has no name and
    gives the status as the cause.
    """
    shown = shown_name(trial.pattern, trial.index)
    said = ""
    if name := one_line(trial.details.get("name", ""), 40):
        said = f' "{name}"'
    if shown is not trial.pattern and trial.details.get("hypothesis"):
        said += f" - {trial.details['hypothesis']}"
    if style.form.is_brief:
        said = ""
    if trial.status != "invalid":  # whose text is no pattern
        shown = style.pattern(shown)
    if trial.status == "ok":
        return f"{shown} {style.score(trial.score)}{said}"
    why = trial.status if style.form.is_brief and trial.status != "invalid" else cause(trial)
    return f"{one_line(shown, 60)} ({why}){said}"


def trial_lines(
    trials: Sequence[Trial], style: LineStyle = PLAIN_STYLE, *, hypotheses: bool = False
) -> str:
    """Trials below each other; with `hypotheses`, also what was expected of each."""
    lines = []
    for trial in trials:
        said = trial.details.get("hypothesis", "") if hypotheses else ""
        lines.append(trial_line(trial, style) + (f" - {said}" if said else ""))
    return "\n".join(lines)
