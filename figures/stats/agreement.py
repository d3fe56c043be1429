"""How much of a score is the pattern, and how much is noise."""

import numpy as np
from numpy.typing import ArrayLike


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


def residual_noise(scores_PK: ArrayLike) -> float:
    """Standard deviation of one score about what pattern and seed explain, `(patterns, seeds)`.

    The residual of the two-way layout without replicates: a seed that is kind to all patterns is
    no noise between searchers on paired seeds. Needs two of each. Degrees of freedom
    `(num_patterns - 1) * (num_seeds - 1)`.
    """
    scores = np.asarray(scores_PK, dtype=np.float64)
    num_patterns, num_seeds = scores.shape
    rows, columns = scores.mean(axis=1, keepdims=True), scores.mean(axis=0, keepdims=True)
    residual = scores - rows - columns + scores.mean()
    return float(np.sqrt((residual**2).sum() / ((num_patterns - 1) * (num_seeds - 1))))
