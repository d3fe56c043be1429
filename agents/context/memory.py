"""What an agent remembers of its run when it writes a prompt: memory views within a token budget.

A view is a choice of trials under headings. Selection is deterministic, and sections stand in a
fixed order, from what changes least to what changes most (lessons first, the newest trials last),
so that a server's prefix cache can serve the beginning of the next prompt. When the budget is too
small the sections of lowest rank lose lines first; no trial is shown twice.
"""

from collections.abc import Iterator, Sequence
from math import inf
from typing import Annotated, Literal, get_args

from pydantic import Field

from nasarena.agents.context.form import Order
from nasarena.agents.context.trial_text import PLAIN_STYLE, LineStyle, trial_line
from nasarena.agents.context.view import Section
from nasarena.agents.llm.text import estimate_tokens
from nasarena.search.incumbent import best_first
from nasarena.search.settings import settings
from nasarena.search.trial import Trial

MemoryView = Literal[
    "none", "top-k", "recent", "failures", "siblings", "ancestors", "lessons", "combined"
]
MEMORY_VIEWS: tuple[MemoryView, ...] = get_args(MemoryView)

HEADINGS = {
    "failures": "Tried without result",
    "ancestors": "Where the parent came from, oldest first",
    "siblings": "Other attempts on the same parent",
    "top-k": "Best so far, the best last",
    "recent": "Most recent, the newest last",
}
_ORDERS = {
    "best_last": "the best last",
    "best_first": "the best first",
    "time": "the newest last",
}
# Who keeps its lines when tokens are short, the most important first.
_RANK = ("top-k", "recent", "failures", "lessons", "siblings", "ancestors")


@settings
class Memory:
    """How much is remembered: which view, at most how many trials a section, how many tokens; and
    in which order a section shows its trials."""

    view: MemoryView
    num_trials: Annotated[int, Field(ge=1)]
    max_tokens: Annotated[int, Field(ge=1)]
    order: Order = "section"

    def recall(
        self, trials: Sequence[Trial], parents: Sequence[Trial], style: LineStyle = PLAIN_STYLE
    ) -> tuple[tuple[Section, ...], tuple[str, ...]]:
        """Sections and lessons to show; `parents` are shown by the operator and not repeated."""
        kept: dict[str, list[Trial]] = {}
        lessons: list[str] = []
        taken = {trial.index for trial in parents}
        tokens_left = self.max_tokens
        for kind in self._kinds():
            if kind == "lessons":
                tokens_left -= _fill(lessons, _lessons(trials), tokens_left, self.num_trials)
                continue
            tokens_left -= estimate_tokens(self._heading(kind))
            for trial in _select(kind, trials, parents, taken, self.num_trials):
                tokens = estimate_tokens(trial_line(trial, style))
                if tokens > tokens_left:
                    break
                tokens_left -= tokens
                taken.add(trial.index)
                kept.setdefault(kind, []).append(trial)
        # The most important were taken first; the last line is the one that is read best.
        sections = [
            Section(self._heading(kind), tuple(self._arrange(kept[kind])))
            for kind in HEADINGS
            if kind in kept
        ]
        return tuple(sections), tuple(reversed(lessons))

    def _heading(self, kind: str) -> str:
        if self.order == "section":
            return HEADINGS[kind]
        return f"{HEADINGS[kind].partition(',')[0]}, {_ORDERS[self.order]}"

    def _arrange(self, trials: Sequence[Trial]) -> list[Trial]:
        """The trials of a section, chosen from the most important on, as they are shown."""
        if self.order == "section":
            return list(reversed(trials))
        by_time = sorted(trials, key=lambda trial: trial.index)
        if self.order == "time":
            return by_time
        return sorted(by_time, key=_height, reverse=self.order == "best_first")

    def _kinds(self) -> Sequence[str]:
        if self.view == "none":
            return ()
        return _RANK if self.view == "combined" else (self.view,)


def _height(trial: Trial) -> float:
    """Its score; trials without one lie below all others."""
    return -inf if trial.score is None else trial.score


def _select(
    kind: str, trials: Sequence[Trial], parents: Sequence[Trial], taken: set[int], limit: int
) -> list[Trial]:
    """Trials of one section, the most important first."""
    candidates = _CHOOSE[kind](trials, parents)
    return [trial for trial in candidates if trial.index not in taken][:limit]


def _best(trials: Sequence[Trial], parents: Sequence[Trial]) -> list[Trial]:
    return best_first(trials)


def _recent(trials: Sequence[Trial], parents: Sequence[Trial]) -> list[Trial]:
    return list(reversed(trials))


def _failures(trials: Sequence[Trial], parents: Sequence[Trial]) -> list[Trial]:
    return [trial for trial in reversed(trials) if trial.status != "ok"]


def _siblings(trials: Sequence[Trial], parents: Sequence[Trial]) -> list[Trial]:
    wanted = {parent.index for parent in parents}
    return [trial for trial in reversed(trials) if wanted & set(trial.parents)]


def _ancestors(trials: Sequence[Trial], parents: Sequence[Trial]) -> list[Trial]:
    """Parents of parents, nearest first, along first parents."""
    by_index = {trial.index: trial for trial in trials}
    chain: list[Trial] = []
    for parent in parents:
        indices = parent.parents
        while indices and indices[0] in by_index:
            chain.append(by_index[indices[0]])
            indices = chain[-1].parents
    return list({trial.index: trial for trial in chain}.values())


_CHOOSE = {
    "top-k": _best,
    "recent": _recent,
    "failures": _failures,
    "siblings": _siblings,
    "ancestors": _ancestors,
}


def _lessons(trials: Sequence[Trial]) -> Iterator[str]:
    """Lessons written down so far, the newest first; they travel in the trials' details."""
    texts = (trial.details.get("lesson", "") for trial in reversed(trials))
    return (text for text in texts if text)


def _fill(into: list[str], texts: Iterator[str], max_tokens: int, limit: int) -> int:
    """Take texts while they fit; returns the tokens used."""
    used = 0
    for text in texts:
        tokens = estimate_tokens(text)
        if used + tokens > max_tokens or len(into) == limit:
            break
        into.append(text)
        used += tokens
    return used
