"""Exact regret and rank: how good the best pattern found so far really is, without its luck.

On a benchmark the true score of every pattern is known, so the incumbent (the pattern of the best
search score so far, chosen by the noisy score that the searcher saw) can be judged by the truth.
Its regret is then never below 0, and its rank counts the patterns of the whole space that are truly
better. A wrong choice of incumbent shows: the exact regret may rise again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nasarena.figures.results.benchmark import Benchmark
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.intervals import Floats, Interval, interval
from nasarena.search.seeding import stream


@dataclass(frozen=True, slots=True)
class ExactStanding:
    """How good a searcher's best patterns really are; `rank` and `percentile` are medians.

    The limits of `regret` are never below 0, as no regret is.
    """

    searcher: str
    regret: Interval
    rank: float
    percentile: float
    num_optima: int


@dataclass(frozen=True, slots=True)
class ExactValues:
    """The incumbents of all runs, judged by what a benchmark knows.

    `regrets` and `ranks` hold, by searcher and in the order of the seeds, an array over the trials
    of a run: NaN before its first score; rank 1 is the optimum. `ranks` is empty where the space
    was not ranked. `unknown` are incumbents whose true score is not on record, in order.
    """

    known: Benchmark
    regrets: Mapping[str, list[Floats]]
    ranks: Mapping[str, list[Floats]]
    unknown: tuple[str, ...]

    @property
    def final_regrets(self) -> dict[str, list[float]]:
        """Exact regret at the end of each run, by searcher in the order of the seeds."""
        return {name: [float(run[-1]) for run in runs] for name, runs in self.regrets.items()}

    def standing(self, searcher: str) -> ExactStanding:
        """The best pattern of each run of a searcher, judged by its true score."""
        regrets = self.final_regrets[searcher]
        regret = interval(regrets, stream(0, "bootstrap", searcher, "exact"))
        ends = [float(run[-1]) for run in self.ranks.get(searcher, [])]
        rank = float(np.median(ends)) if ends else float("nan")
        return ExactStanding(
            searcher=searcher,
            regret=Interval(regret.estimate, float(np.maximum(regret.low, 0.0)), regret.high),
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
        unknown=tuple(sorted(held - set(known.scores))),
    )


def _by_run(tables: Tables, values: Mapping[str, float]) -> dict[str, list[Floats]]:
    """The value of each incumbent, by searcher and seed."""
    return {
        name: [
            np.array([values.get(str(held), np.nan) for held in run["incumbent"]], dtype=np.float64)
            for run in tables.trials_by_seed(name)
        ]
        for name in tables.searchers
    }
