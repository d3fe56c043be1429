"""Exact regret and rank: how good the best pattern found so far really is, without its luck.

On a benchmark the true score of every pattern is known, so the incumbent (the pattern of the best
search score so far, chosen by the noisy score that the searcher saw) can be judged by the truth.
Its regret is then never below 0, and its rank counts the patterns of the whole space that are truly
better. A wrong choice of incumbent shows: the exact regret may rise again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nasarena.figures.results.benchmark import Benchmark
from nasarena.figures.results.rows import FINALISTS, RECOMMENDED
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.intervals import Floats, Interval, interval
from nasarena.search.seeding import stream


@dataclass(frozen=True, slots=True)
class ExactStanding:
    """How good a searcher's best patterns really are; `rank` and `percentile` are medians.

    `regret` is that of the highest observed pattern of each run, `of_finalists` the mean over the
    patterns that decide, `of_recommended` over those that the searcher chose (None where it chose
    none). Their limits are never below 0, as no regret is.
    """

    searcher: str
    regret: Interval
    of_finalists: Interval | None
    of_recommended: Interval | None
    rank: float
    percentile: float
    num_optima: int


@dataclass(frozen=True, slots=True)
class ExactValues:
    """The incumbents of all runs, judged by what a benchmark knows.

    `regrets` and `ranks` hold, by searcher and in the order of the seeds, an array over the trials
    of a run: NaN before its first score; rank 1 is the optimum. `ranks` is empty where the space
    was not ranked. `chosen` holds, by who named the patterns and by searcher, the mean exact regret
    of each run's, NaN where there is none. `unknown` are incumbents whose true score is not on
    record, in order.
    """

    known: Benchmark
    regrets: Mapping[str, list[Floats]]
    ranks: Mapping[str, list[Floats]]
    chosen: Mapping[str, Mapping[str, list[float]]]
    unknown: tuple[str, ...]

    @property
    def deciding_regrets(self) -> dict[str, list[float]]:
        """Exact regret of what decides: the finalists of each run, else its best observed."""
        finalists = self.chosen[FINALISTS]
        is_whole = finalists and all(np.isfinite(runs).all() for runs in finalists.values())
        return dict(finalists) if is_whole else self.final_regrets

    @property
    def final_regrets(self) -> dict[str, list[float]]:
        """Exact regret at the end of each run, by searcher in the order of the seeds."""
        return {name: [float(run[-1]) for run in runs] for name, runs in self.regrets.items()}

    def standing(self, searcher: str) -> ExactStanding:
        """The best pattern of each run of a searcher, judged by its true score."""
        regrets = self.final_regrets[searcher]
        regret = _regret_interval(regrets, searcher, "exact")
        assert regret is not None
        ends = [float(run[-1]) for run in self.ranks.get(searcher, [])]
        rank = float(np.median(ends)) if ends else float("nan")
        return ExactStanding(
            searcher=searcher,
            regret=regret,
            of_finalists=_regret_interval(self.chosen[FINALISTS][searcher], searcher, FINALISTS),
            of_recommended=_regret_interval(
                self.chosen[RECOMMENDED][searcher], searcher, RECOMMENDED
            ),
            rank=rank,
            percentile=self.known.percentile(rank),
            num_optima=sum(regret == 0 for regret in regrets),
        )


def judge_incumbents(tables: Tables, known: Benchmark) -> ExactValues:
    """Exact regret and rank of every incumbent of every run."""
    regrets = {pattern: known.best - score for pattern, score in known.scores.items()}
    held = set(tables.trials["incumbent"].dropna().map(str))
    return ExactValues(
        known=known,
        regrets=_by_run(tables, regrets),
        ranks=_by_run(tables, known.ranks) if known.ranks else {},
        chosen={name: _chosen(tables, regrets, name) for name in (FINALISTS, RECOMMENDED)},
        unknown=tuple(sorted(held - set(known.scores))),
    )


def _chosen(tables: Tables, regrets: Mapping[str, float], name: str) -> dict[str, list[float]]:
    """Mean regret of the patterns of each run that were named by `name`."""
    named = tables.choices[tables.choices["named_by"] == name]
    found = {
        key: float(np.mean([regrets.get(str(pattern), np.nan) for pattern in group["pattern"]]))
        for key, group in named.groupby(["searcher", "seed"])
    }
    return {
        searcher: [found.get((searcher, seed), float("nan")) for seed in tables.seeds]
        for searcher in tables.searchers
    }


def _regret_interval(regrets: Sequence[float], searcher: str, what: str) -> Interval | None:
    """An interval whose limits are not below 0; None where a run has no such regret."""
    if not np.isfinite(regrets).all() and what != "exact":
        return None
    found = interval(regrets, stream(0, "bootstrap", searcher, what))
    return Interval(found.estimate, float(np.maximum(found.low, 0.0)), found.high)


def _by_run(tables: Tables, values: Mapping[str, float]) -> dict[str, list[Floats]]:
    """The value of each incumbent, by searcher and seed."""
    return {
        name: [
            np.array([values.get(str(held), np.nan) for held in run["incumbent"]], dtype=np.float64)
            for run in tables.trials_by_seed(name)
        ]
        for name in tables.searchers
    }
