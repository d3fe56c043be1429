"""Two searchers on the same seeds: an exact test, the interval that belongs to it, effect sizes.

Seed k is the same frozen landscape for every searcher, so scores are compared seed by seed. The
test flips the signs of the differences: under "no difference" each sign is a fair coin, and all
2^n flips are counted, so p is exact. Its smallest value is 2^(1 - n): fewer than 6 seeds cannot
reach 0.05, whatever the scores are, and a verdict has to say so.

The interval is that test turned round (Hartigan 1969, "Using subsample values as typical values",
JASA 64): the mean differences which it does not reject lie between two order statistics of the
means of all 2^n - 1 subsets. So an interval excludes zero exactly when p < 0.05, and covers at the
level of the test for symmetric differences. Fewer than 6 seeds have no such interval.
"""

import numpy as np
from numpy.typing import ArrayLike

from nasarena.figures.stats.intervals import LEVEL, Floats, Interval

ALPHA = 1 - LEVEL
# Up to here all sign flips (2^20) are counted; above, 100,000 are drawn.
MAX_EXACT_PAIRS = 20
_NUM_DRAWN = 100_000


def sign_flip_p(differences: ArrayLike, rng: np.random.Generator | None = None) -> float:
    """Two-sided p of the paired permutation test on the sum of `differences`, shape `(n,)`.

    Exact up to 20 pairs; above, 100,000 flips are drawn from `rng` (Phipson & Smyth 2010 count the
    observed one in, so p is never 0). Raises ValueError for more than 20 pairs without `rng`, and
    for a difference that is not a number: no flip would count, and p would be 0.
    """
    values = np.asarray(differences, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"differences must be finite, got {values[~np.isfinite(values)][0]}")
    observed = abs(values.sum())
    rounding = 1e-12 * np.abs(values).sum()
    if len(values) <= MAX_EXACT_PAIRS:
        sums = values[:1]  # the other sign of the first gives the mirrored half
        for value in values[1:]:
            sums = np.concatenate([sums + value, sums - value])
        return float(np.mean(np.abs(sums) >= observed - rounding))
    flipped = _draw_subsets(rng, len(values))
    sums = values.sum() - 2 * (flipped @ values)
    count = int(np.sum(np.abs(sums) >= observed - rounding))
    return (count + 1) / (_NUM_DRAWN + 1)


def mean_difference(
    differences: ArrayLike, rng: np.random.Generator | None = None, level: float = LEVEL
) -> Interval:
    """The mean of `differences` `(n,)` and all means that the sign-flip test does not reject.

    The limits are NaN where no mean can be rejected at this level: below 6 pairs for 0.95.
    """
    values = np.asarray(differences, dtype=np.float64)
    estimate = float(values.mean())
    means = _subset_means(values, rng)
    # p(theta) = 2 * (1 + number of subset means at or below theta) / 2^n, for theta below the mean.
    outside = int(np.ceil((1 - level) * (len(means) + 1) / 2 - 1e-9)) - 1
    if outside < 1 or np.isnan(estimate):
        return Interval(estimate, float("nan"), float("nan"))
    ordered = np.partition(means, [outside - 1, len(means) - outside])
    return Interval(estimate, float(ordered[outside - 1]), float(ordered[-outside]))


def _subset_means(values: Floats, rng: np.random.Generator | None) -> Floats:
    """Means of all non-empty subsets, or of 100,000 drawn ones where there are too many."""
    if len(values) > MAX_EXACT_PAIRS:
        chosen = _draw_subsets(rng, len(values))
        chosen = chosen[chosen.any(axis=1)]
        means: Floats = (chosen @ values) / chosen.sum(axis=1)
        return means
    sums, sizes = np.zeros(1), np.zeros(1)
    for value in values:
        sums, sizes = np.concatenate([sums, sums + value]), np.concatenate([sizes, sizes + 1])
    return sums[1:] / sizes[1:]


def cohen_dz(differences: ArrayLike) -> float:
    """Mean difference in standard deviations of the differences; NaN for fewer than two."""
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2:
        return float("nan")
    spread = values.std(ddof=1)
    if spread == 0:
        return float(np.sign(values.mean()) * np.inf) if values.mean() else 0.0
    return float(values.mean() / spread)


def smallest_p(num_seeds: int) -> float:
    """The smallest two-sided p that `num_seeds` pairs can give: 2^(1 - n)."""
    return 2.0 ** (1 - num_seeds)


def _draw_subsets(rng: np.random.Generator | None, num_pairs: int) -> Floats:
    """Random subsets of the pairs, each in or out by a fair coin, `(_NUM_DRAWN, num_pairs)`."""
    if rng is None:
        raise ValueError(f"more than {MAX_EXACT_PAIRS} pairs need a generator, got {num_pairs}")
    return rng.integers(2, size=(_NUM_DRAWN, num_pairs), dtype=np.int8).astype(np.float64)
