"""The compact prompt: a scored history in a few dozen short lines, and nothing else.

    16 AMS
    99 1A 2M 3S 4M ... 16A
    87 5M 11A
    -- 2S 7S

First the depth and the letters of the space, then the best trial in full, then the others by what
they change of the best, each behind its level: 99 for the best and 00 for the worst line shown,
linear in the score between. A trial that failed has the level `--`. Only differences are written,
so lines grow shorter as a search closes in, and what two lines share is seen at once. The list has
no words for what is expected and not scored: patterns with an expected score stand among the others
as if they had been tried.

The text is a pure function of the space and the trials: no seed, no clock, no names.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

SHOWN = 24  # scored lines: some 100 tokens of the embedded agent's tokenizer, at most 350
SHOWN_FAILED = 3
FAILED = "--"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a prompt tells: scored patterns, best first, and patterns that failed, newest first."""

    scored: tuple[tuple[str, float], ...]
    failed: tuple[str, ...] = ()


def render(
    space: PatternSpace,
    trials: Iterable[Trial],
    limit: int = SHOWN,
    expected: Sequence[tuple[str, float]] = (),
) -> str:
    """The prompt for these trials, at most `limit` lines with a level.

    `expected` are untried patterns with the scores that they would have; each takes a line.
    """
    shown = select(space, trials, limit - len(expected))
    scored = sorted([*shown.scored, *expected], key=lambda one: -one[1])  # stable: trials first
    return write(space, Shown(tuple(scored), shown.failed))


def select(space: PatternSpace, trials: Iterable[Trial], limit: int = SHOWN) -> Shown:
    """Which trials are shown: half by score, half by nearness to the best.

    The neighbours of the best tell which small changes were tried already, and what they did.
    """
    scores: dict[str, float] = {}
    failed: dict[str, None] = {}
    for trial in trials:
        if trial.status == "ok" and trial.score is not None:
            scores.setdefault(trial.pattern, trial.score)
        elif trial.status == "failed":
            failed.pop(trial.pattern, None)
            failed[trial.pattern] = None
    ranked = sorted(scores.items(), key=lambda item: -item[1])  # stable: the earlier one first
    newest = tuple(reversed([pattern for pattern in failed if pattern not in scores]))
    return Shown(nearest_and_best(space, ranked, limit), newest[:SHOWN_FAILED])


def nearest_and_best(
    space: PatternSpace, ranked: Sequence[tuple[str, float]], limit: int
) -> tuple[tuple[str, float], ...]:
    """At most `limit` of the ranked patterns: the best half, then those nearest to the first."""
    if len(ranked) <= limit:
        return tuple(ranked)
    num_best = max(1, limit - limit // 2)
    best = ranked[0][0]
    rest = range(num_best, len(ranked))
    near = sorted(rest, key=lambda rank: (space.hamming(best, ranked[rank][0]), rank))
    chosen = sorted(near[: limit - num_best])
    return tuple(ranked[:num_best]) + tuple(ranked[rank] for rank in chosen)


def write(space: PatternSpace, shown: Shown) -> str:
    """The text of the lines, without a newline at the end."""
    lines = [f"{space.depth} {space.alphabet}"]
    best = reference(space, shown)
    if shown.scored:
        top, bottom = shown.scored[0][1], shown.scored[-1][1]
        lines.append("99" + _places(best))
        for pattern, score in shown.scored[1:]:
            lines.append(_level(score, bottom, top) + changes(best, pattern))
    lines += [FAILED + changes(best, pattern) for pattern in shown.failed]
    return "\n".join(lines)


def reference(space: PatternSpace, shown: Shown) -> str:
    """The pattern that changes are counted from: the best, or the first letter throughout."""
    return shown.scored[0][0] if shown.scored else space.alphabet[0] * space.depth


def changes(base: str, pattern: str) -> str:
    """What `pattern` changes of `base`: ` 5M 11A`, places counted from 1, in their order."""
    return "".join(
        f" {place}{new}"
        for place, (old, new) in enumerate(zip(base, pattern, strict=True), start=1)
        if old != new
    )


def _places(pattern: str) -> str:
    return "".join(f" {place}{letter}" for place, letter in enumerate(pattern, start=1))


def _level(score: float, bottom: float, top: float) -> str:
    if top <= bottom:
        return "99"
    half = 1.0 if isfinite(top - bottom) else 0.5  # the difference of halves never overflows
    share = (half * score - half * bottom) / (half * top - half * bottom)
    return f"{round(99 * share):02d}"
