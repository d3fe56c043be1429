"""Who is ahead how often: probability of improvement, and performance profiles.

A rank says nothing of how sure it is and an average nothing of its tails; these two do.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from nasarena.figures.stats.intervals import LEVEL, Floats, widen_limits


def share_of_wins(differences: ArrayLike) -> float:
    """Share of paired differences above zero, draws counted half."""
    values = np.asarray(differences, dtype=np.float64)
    return float(((values > 0) + 0.5 * (values == 0)).mean())


def probability_of_improvement(first_RT: ArrayLike, second_RT: ArrayLike) -> float:
    """Probability that a run of the first searcher beats a run of the second on the same task.

    Over all pairs of runs within each task, draws half, then the mean over tasks (Agarwal et al.
    2021, section 4.3; for one task the Mann-Whitney U over its pairs, Vargha & Delaney's A12).
    Both are `(num_runs,)` or `(num_runs, num_tasks)`; their runs may differ in number.
    """
    first, second = _matrix(first_RT), _matrix(second_RT)
    ahead = first[:, None] - second[None]
    return float(((ahead > 0) + 0.5 * (ahead == 0)).mean(axis=(0, 1)).mean())


def improvement_matrix(scores: Mapping[str, ArrayLike]) -> Floats:
    """`probability_of_improvement` of each row's searcher over each column's, `(S, S)`."""
    values = list(scores.values())
    return np.array([[probability_of_improvement(a, b) for b in values] for a in values])


def performance_profile(scores_R: ArrayLike, thresholds: ArrayLike) -> Floats:
    """Share of runs that score above each threshold, `(num_thresholds,)` (Dolan & More 2002)."""
    scores, levels = np.asarray(scores_R, dtype=np.float64), np.asarray(thresholds)
    shares: Floats = (scores.ravel()[:, None] > levels).mean(axis=0)
    return shares


def profile_band(
    scores_R: ArrayLike,
    thresholds: ArrayLike,
    rng: np.random.Generator,
    num_repeats: int = 1_000,
    level: float = LEVEL,
) -> tuple[Floats, Floats]:
    """Bootstrap limits of `performance_profile` over resampled runs, within 0 and 1."""
    scores, levels = np.asarray(scores_R, dtype=np.float64), np.asarray(thresholds)
    if len(scores) < 2:
        return np.full(len(levels), np.nan), np.full(len(levels), np.nan)
    above = scores[:, None] > levels
    drawn = rng.integers(len(scores), size=(num_repeats, len(scores)))
    repeats = above[drawn].mean(axis=1)
    low, high = widen_limits(repeats, above.mean(axis=0), len(scores), 1, level)
    return np.clip(low, 0, 1), np.clip(high, 0, 1)


def _matrix(values: ArrayLike) -> Floats:
    matrix = np.asarray(values, dtype=np.float64)
    return matrix[:, None] if matrix.ndim == 1 else matrix
