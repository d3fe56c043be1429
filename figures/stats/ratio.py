"""The ratio of two paired means with its interval, by Fieller's theorem.

Fieller 1954, "Some problems in interval estimation", Journal of the Royal Statistical Society B
16(2):175-185. The interval has no limits where the lower mean is not shown to be above zero.
"""

import numpy as np
from numpy.typing import ArrayLike

from nasarena.figures.stats.intervals import LEVEL, Interval, student_quantile


def ratio_of_means(above: ArrayLike, below: ArrayLike, level: float = LEVEL) -> Interval:
    """Mean of `above` over that of `below`, both `(num_pairs,)`; NaN where nothing is shown.

    Nothing is shown by fewer than 3 pairs, nor where the mean of `below` may be 0 or less.
    """
    x, y = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    count = len(x)
    unknown = Interval(float("nan"), float("nan"), float("nan"))
    if count < 3:
        return unknown
    square = student_quantile(count - 1, level) ** 2 / count
    (xx, xy), (_, yy) = np.cov(x, y) * square
    mean_x, mean_y = float(x.mean()), float(y.mean())
    first = mean_y**2 - float(yy)
    if mean_y <= 0 or first <= 0:
        return unknown
    middle = (mean_x * mean_y - float(xy)) / first
    half = max(0.0, middle**2 - (mean_x**2 - float(xx)) / first) ** 0.5
    return Interval(mean_x / mean_y, middle - half, middle + half)
