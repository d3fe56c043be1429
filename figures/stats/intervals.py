"""Interquartile means with bootstrap intervals that hold from few seeds.

Every statistic takes plain arrays, the runs (seeds) first. A plain percentile interval of n values
is too narrow: it misses the factor t / z between Student's and the normal quantile, and, where
nothing is trimmed or several tasks have n runs each, sqrt(n / (n - 1)) (Hesterberg 2015, "What
teachers should know about the bootstrap", The American Statistician 69(4)). So the distances of its
limits from the estimate are multiplied by both. Scaling distances, rather than taking wider
quantiles, lets the interval leave the range of the data, which 2 to 4 seeds need;
`measure.calibration` has the coverage it gives.
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
    """An estimate with its confidence limits, all in the unit of the values; NaN: not known."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isnan(self.low):  # too few seeds for limits
            return f"{self.estimate:.4f}"
        return f"{self.estimate:.4f} [{self.low:.4f}, {self.high:.4f}]"

    def __neg__(self) -> "Interval":
        return Interval(-self.estimate, -self.high, -self.low)

    def lies_within(self, half_width: float) -> bool:
        """Whether all of it is closer to zero than `half_width`; never where limits are unknown."""
        return bool(-half_width < self.low and self.high < half_width)


def iqm(values: ArrayLike, axis: int = 0) -> Floats:
    """Interquartile mean: the mean without the lowest and the highest quarter.

    Of n values `floor(n / 4)` are cut at either end, so up to 3 values it is the plain mean.
    NaN anywhere along `axis` gives NaN: an average over fewer values than asked for is refused.
    """
    array = np.moveaxis(np.asarray(values, dtype=np.float64), axis, -1)
    size = array.shape[-1]
    cut = int(_CUT * size)
    ordered = np.partition(array, [cut, size - cut - 1], axis=-1) if cut else array
    middle: Floats = ordered[..., cut : size - cut].mean(axis=-1)
    return np.where(np.isnan(array).any(axis=-1), np.nan, middle)


def bootstrap_iqm(values_RT: ArrayLike, rng: np.random.Generator, num_repeats: int) -> Floats:
    """IQM over all runs and tasks of resampled runs, shape `(num_repeats,)`.

    `values_RT` is `(num_runs, num_tasks)`. Stratified: runs are drawn with replacement within each
    task, so that every repeat holds every task equally often (Agarwal et al. 2021, section 4.2).
    """
    values = _matrix(values_RT)
    num_runs, num_tasks = values.shape
    drawn = rng.integers(num_runs, size=(num_repeats, num_runs, num_tasks), dtype=np.int32)
    drawn *= num_tasks  # indices into the flattened matrix, in place: this is the hot loop
    drawn += np.arange(num_tasks, dtype=np.int32)
    return iqm(values.ravel()[drawn.reshape(num_repeats, -1)], axis=1)


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
    num_runs, num_tasks = values.shape
    estimate = float(iqm(values.ravel()))
    if num_runs < 2 or np.isnan(estimate):
        return Interval(estimate, float("nan"), float("nan"))
    repeats = bootstrap_iqm(values, rng, num_repeats)
    low, high = widen_limits(repeats, np.array(estimate), num_runs, num_tasks, level)
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
    limits = np.full((2, len(middle)), np.nan)
    if len(curves) < 2:
        return middle, limits[0], limits[1]
    known = ~np.isnan(middle)
    drawn = rng.integers(len(curves), size=(num_repeats, len(curves)))
    repeats = iqm(curves[:, known][drawn], axis=1)
    limits[:, known] = widen_limits(repeats, middle[known], len(curves), 1, level)
    return middle, limits[0], limits[1]


def widen_limits(
    repeats: Floats, estimate: Floats, num_runs: int, num_tasks: int = 1, level: float = LEVEL
) -> tuple[Floats, Floats]:
    """Limits from bootstrap repeats (first axis), their distances scaled for few runs.

    Degrees of freedom: `num_tasks * (num_runs - 1)`, for each task has a centre of its own.
    """
    tail = (1 - level) / 2
    scale = student_factor(num_tasks * (num_runs - 1), level)
    # A plain mean's bootstrap is too narrow; so is one that draws few runs within each task.
    if int(_CUT * num_runs * num_tasks) == 0 or num_tasks > 1:
        scale *= np.sqrt(num_runs / (num_runs - 1))
    low, high = np.quantile(repeats, [tail, 1 - tail], axis=0)
    return estimate - scale * (estimate - low), estimate + scale * (high - estimate)


def student_quantile(freedom: int, level: float = LEVEL) -> float:
    """Standard errors from a mean to the limits of its interval, by Student's distribution."""
    return float(scipy_stats.t.isf((1 - level) / 2, freedom))


def student_factor(freedom: int, level: float = LEVEL) -> float:
    """Student's quantile over the normal one: how much wider limits must be for few values."""
    return student_quantile(freedom, level) / float(scipy_stats.norm.isf((1 - level) / 2))


def _matrix(values: ArrayLike) -> Floats:
    matrix = np.asarray(values, dtype=np.float64)
    return matrix[:, None] if matrix.ndim == 1 else matrix
