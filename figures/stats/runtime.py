"""How long until a score is reached: runtime distributions and expected running time.

The one kind of figure whose numbers say "three times faster". Targets are given, never taken from
the searchers at hand, else yesterday's figure would change when a searcher joins (Hansen et al.
2021, COCO). A run that never reaches a target has spent its whole budget on it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nasarena.figures.stats.intervals import Floats


@dataclass(frozen=True, slots=True)
class RunningTime:
    """Expected budget until a target is reached, by restarting a searcher until it succeeds.

    With no success `expected` is infinite and `at_least` is all that was spent in vain.
    """

    expected: float
    at_least: float
    num_successes: int
    num_runs: int

    @property
    def success_rate(self) -> float:
        return self.num_successes / self.num_runs


def first_hits(meter: ArrayLike, best: ArrayLike, targets: ArrayLike) -> Floats:
    """Meter reading at which the best score first reaches each target; infinite where never.

    `meter` and `best` are `(num_trials,)`, neither decreasing; `best` may begin with NaN.
    """
    meter = np.append(np.asarray(meter, dtype=np.float64), np.inf)
    levels = np.nan_to_num(np.asarray(best, dtype=np.float64), nan=-np.inf)
    return meter[np.searchsorted(levels, np.asarray(targets), side="left")]


def runtime_ecdf(hits_RT: ArrayLike, grid: ArrayLike) -> Floats:
    """Share of all (run, target) pairs that were hit by each grid point, `(num_points,)`."""
    hits = np.sort(np.asarray(hits_RT, dtype=np.float64).ravel())
    return np.searchsorted(hits, np.asarray(grid), side="right") / len(hits)


def expected_running_time(hits_R: ArrayLike, spent_R: ArrayLike) -> RunningTime:
    """ERT of one target: everything spent until success or the end, over the number of successes.

    `hits_R` as of `first_hits`, `spent_R` what each run spent in all, both `(num_runs,)`.
    """
    hits, spent = np.asarray(hits_R, dtype=np.float64), np.asarray(spent_R, dtype=np.float64)
    reached = np.isfinite(hits)
    total = float(np.where(reached, hits, spent).sum())
    count = int(reached.sum())
    return RunningTime(total / count if count else float("inf"), total, count, len(hits))
