"""Estimates from few seeds: interquartile mean, bootstrap intervals, step curves, agreement.

Every statistic takes plain arrays, the seeds (runs) first. Nothing is interpolated: between two
trials the best score is what it was after the first of them, so curves are filled forward in steps.

Intervals are bootstrap percentiles, widened for small samples as in Hesterberg (2015), "What
teachers should know about the bootstrap", The American Statistician 69(4): the plain percentile
interval of n values is too narrow by about the ratio of Student's t to the normal quantile times
sqrt(n / (n - 1)). So a 95 % interval covers 93 to 97 % from 5 seeds on (tests/test_stats.py). What
no bootstrap can mend: with 3 seeds it cannot leave their range and covers about 75 %.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats as scipy_stats

Floats = NDArray[np.float64]

LEVEL = 0.95
# Share that the interquartile mean cuts from either end.
_CUT = 0.25


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence limits, all in the unit of the values."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isnan(self.low):  # one seed
            return f"{self.estimate:.4f}"
        return f"{self.estimate:.4f} [{self.low:.4f}, {self.high:.4f}]"


def iqm(values: ArrayLike, axis: int = 0) -> Floats:
    """Interquartile mean: the mean without the lowest and the highest quarter.

    Of n values `floor(n / 4)` are cut at either end, so up to 3 values it is the plain mean.
    NaN anywhere along `axis` gives NaN: an average over fewer values than asked for is refused.
    """
    ordered = np.sort(np.moveaxis(np.asarray(values, dtype=np.float64), axis, 0), axis=0)
    cut = int(_CUT * len(ordered))
    middle: Floats = ordered[cut : len(ordered) - cut].mean(axis=0)
    return np.where(np.isnan(ordered[-1]), np.nan, middle)  # sorting puts NaN last


def bootstrap_iqm(values_RT: ArrayLike, rng: np.random.Generator, num_repeats: int) -> Floats:
    """IQM over all runs and tasks of resampled runs, shape `(num_repeats,)`.

    `values_RT` is `(num_runs, num_tasks)`. Stratified: runs are drawn with replacement within each
    task, so that every repeat holds every task equally often (Agarwal et al. 2021, section 4.2).
    """
    values = _matrix(values_RT)
    num_runs, num_tasks = values.shape
    drawn = rng.integers(num_runs, size=(num_repeats, num_runs, num_tasks))
    return iqm(values[drawn, np.arange(num_tasks)].reshape(num_repeats, -1), axis=1)


def interval(
    values_RT: ArrayLike,
    rng: np.random.Generator,
    num_repeats: int = 10_000,
    level: float = LEVEL,
) -> Interval:
    """IQM with its bootstrap interval; `values_RT` is `(num_runs,)` or `(num_runs, num_tasks)`.

    A single run has no spread to resample: its limits are NaN.
    """
    values = _matrix(values_RT)
    estimate = float(iqm(values.ravel()))
    if len(values) < 2 or np.isnan(estimate):
        return Interval(estimate, float("nan"), float("nan"))
    repeats = bootstrap_iqm(values, rng, num_repeats)
    low, high = np.quantile(repeats, _tails(len(values), level))
    return Interval(estimate, float(low), float(high))


def band(
    curves_RG: ArrayLike,
    rng: np.random.Generator,
    num_repeats: int = 1_000,
    level: float = LEVEL,
) -> tuple[Floats, Floats, Floats]:
    """IQM and interval limits at each of G grid points of R curves, each of shape `(G,)`.

    Whole curves are resampled. A grid point that some curve has not reached yet is NaN.
    """
    curves = _matrix(curves_RG)
    middle = iqm(curves)
    if len(curves) < 2:
        return middle, np.full_like(middle, np.nan), np.full_like(middle, np.nan)
    known = ~np.isnan(middle)
    drawn = rng.integers(len(curves), size=(num_repeats, len(curves)))
    repeats = iqm(curves[:, known][drawn], axis=1)
    limits = np.full((2, len(middle)), np.nan)
    limits[:, known] = np.quantile(repeats, _tails(len(curves), level), axis=0)
    return middle, limits[0], limits[1]


def step_fill(meter: ArrayLike, values: ArrayLike, grid: ArrayLike) -> Floats:
    """The last of `values` whose `meter` is at or below each grid point; NaN before the first.

    `meter` must not decrease. Where several values share a meter reading (free trials) the last
    of them counts.
    """
    meter, values = np.asarray(meter), np.asarray(values, dtype=np.float64)
    position = np.searchsorted(meter, np.asarray(grid), side="right") - 1
    padded = np.append(values, np.nan)  # position -1 picks the NaN
    return padded[position]


def icc1(scores_PK: ArrayLike) -> float:
    """ICC(1): share of the score's variance that is due to the pattern rather than the seed.

    `scores_PK` is `(num_patterns, num_seeds)`, both at least 2. One-way random effects,
    single rating (Shrout & Fleiss 1979, eq. 1): (MSB - MSW) / (MSB + (k - 1) MSW).
    """
    scores = np.asarray(scores_PK, dtype=np.float64)
    num_patterns, num_seeds = scores.shape
    means = scores.mean(axis=1)
    between = num_seeds * means.var(ddof=1)
    within = ((scores - means[:, None]) ** 2).sum() / (num_patterns * (num_seeds - 1))
    return float((between - within) / (between + (num_seeds - 1) * within))


def rank_agreement(first: ArrayLike, second: ArrayLike) -> tuple[float, float]:
    """Kendall's tau-b and Spearman's rho of two scorings of the same patterns."""
    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    tau = scipy_stats.kendalltau(first, second).statistic
    return float(tau), float(scipy_stats.spearmanr(first, second).statistic)


def _matrix(values: ArrayLike) -> Floats:
    matrix = np.asarray(values, dtype=np.float64)
    return matrix[:, None] if matrix.ndim == 1 else matrix


def _tails(num_runs: int, level: float) -> tuple[float, float]:
    """Quantiles of the repeats to report, widened for `num_runs` values (Hesterberg 2015)."""
    quantile = scipy_stats.t.ppf((1 + level) / 2, num_runs - 1)
    tail = float(scipy_stats.norm.sf(quantile * np.sqrt(num_runs / (num_runs - 1))))
    return tail, 1 - tail
