"""How good each rule's pattern is, and how much that hangs on which searchers took part.

Searchers are drawn again with all their runs, as many as there are, and every rule is applied to
the finalists of those drawn; where scores are no exact values, their seeds are drawn again too.
The limits are quantiles of what the patterns are then worth.

The best of several rules is better than the best single finalist by luck already. So that is called
shown only where its lower limit stays above 0 after Bonferroni's correction for all rules, and
never for fewer than six searchers: of five pairs none can reach p < 0.05 in an exact test.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from nasarena.experiments.scaling.aggregate import BEST, Aggregate, Rule
from nasarena.experiments.scaling.winners import RunWinners, Winners, make_pool
from nasarena.experiments.scaling.worth import Worth
from nasarena.figures.stats.intervals import LEVEL, Floats, Interval
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

ALL, CLASSICAL, AGENTIC = "together", "classical", "agentic"
FEWEST_SEARCHERS = 6


@dataclass(frozen=True, slots=True)
class Group:
    """Runs whose winners are put together, and the pattern that every rule makes of them."""

    name: str
    space: PatternSpace
    runs: Sequence[RunWinners]
    aggregates: Mapping[str, Aggregate]

    @property
    def searchers(self) -> list[str]:
        return sorted({run.searcher for run in self.runs})

    @property
    def num_finalists(self) -> int:
        """Different ones."""
        return len({pattern for run in self.runs for pattern in run.finalists})


def make_groups(winners: Winners) -> dict[str, list[RunWinners]]:
    """All runs; and by themselves those of classical and of agentic searchers, if there are both.

    Agentic is what a language model answers for.
    """
    parts = {
        CLASSICAL: [run for run in winners.runs if not run.is_agent],
        AGENTIC: [run for run in winners.runs if run.is_agent],
    }
    return {ALL: list(winners.runs), **(parts if all(parts.values()) else {})}


def apply_rules(
    name: str, space: PatternSpace, runs: Sequence[RunWinners], rules: Mapping[str, Rule]
) -> Group:
    """A group with the pattern of every rule."""
    pool = make_pool(space, runs)
    return Group(name, space, runs, {name: rule(pool) for name, rule in rules.items()})


def resample_worths(
    group: Group, rules: Mapping[str, Rule], worth: Worth, num_resamples: int
) -> dict[str, Floats]:
    """What the pattern of each rule is worth in every resample of the searchers, `(R,)`."""
    by_searcher: dict[str, list[RunWinners]] = {}
    for run in group.runs:
        by_searcher.setdefault(run.searcher, []).append(run)
    names = group.searchers
    rng = stream(0, "resampled searchers", group.name)
    drawn_RS = rng.integers(len(names), size=(num_resamples, len(names)))

    @cache
    def patterns(drawn: tuple[int, ...]) -> list[str]:
        pool = make_pool(group.space, [run for i in drawn for run in by_searcher[names[i]]])
        return [rule(pool).pattern for rule in rules.values()]

    found_RK = np.array(
        [
            [worth.repeats(pattern)[place] for pattern in patterns(tuple(sorted(row.tolist())))]
            for place, row in enumerate(drawn_RS)
        ]
    )
    return dict(zip(rules, found_RK.T, strict=True))


@dataclass(frozen=True, slots=True)
class Standing:
    """What a rule's pattern is worth, and by how much more than the best single finalist.

    A single searcher cannot be resampled: limits are NaN. `is_shown`: the gain is more than chance,
    as the module says.
    """

    worth: Interval
    gain: Interval
    is_shown: bool


def judge(group: Group, worth: Worth, resampled: Mapping[str, Floats]) -> dict[str, Standing]:
    """The standing of each rule, by name."""
    own = {rule: worth.estimate(made.pattern) for rule, made in group.aggregates.items()}
    num_searchers = len(group.searchers)
    tail = (1 - LEVEL) / 2 / max(1, len(own) - 1)
    found = {}
    for rule, values_R in resampled.items():
        gains_R = values_R - resampled[BEST]
        found[rule] = Standing(
            _interval(own[rule], values_R, num_searchers),
            _interval(own[rule] - own[BEST], gains_R, num_searchers),
            num_searchers >= FEWEST_SEARCHERS and float(np.quantile(gains_R, tail)) > 0,
        )
    return found


def _interval(estimate: float, values_R: Floats, num_searchers: int) -> Interval:
    if num_searchers < 2:
        return Interval(estimate, float("nan"), float("nan"))
    low, high = np.quantile(values_R, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(estimate, float(low), float(high))
