"""Does one scoring rank patterns as another does? Rank agreement with intervals, and regret.

Intervals are bootstraps over patterns. Both correlations are sums over pairs of patterns, so that
resampling is weighting: with X_ij = sign(x_i - x_j), Y likewise, and w how often each was drawn,

    Kendall's tau-b   w'(X o Y)w / sqrt(w'|X|w  w'|Y|w)
    Spearman's rho    sum w a b / sqrt(sum w a^2  sum w b^2),   a = Xw, b = Yw

(a centred rank is half of a). A pattern drawn twice is no pair with itself: both have that sign 0.

Shapes: N patterns, R repeats; row 0 of the weights is the sample as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import kendalltau

from nasarena.figures.stats.intervals import LEVEL, Floats, Interval, widen_limits

NUM_REPEATS = 2_000
# Ranks of fewer patterns than this are hardly more than a coin.
MIN_PATTERNS = 5
UNKNOWN = Interval(float("nan"), float("nan"), float("nan"))

# Two scorings of the same patterns, `(N,)` each: what picks, and what is believed.
Pair = tuple[Floats, Floats]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Rank correlations, mean over the pairs of scorings, within `num_patterns` patterns."""

    kendall: Interval
    spearman: Interval
    num_patterns: int


def agreement(
    pairs: Sequence[Pair],
    rng: np.random.Generator,
    share: float = 1.0,
    num_repeats: int = NUM_REPEATS,
) -> Agreement:
    """How far the two scorings of each pair agree; NaN within fewer than `MIN_PATTERNS` patterns.

    With `share` below 1 only among the best `share` of the patterns, best by the second scoring
    alone: choosing by both would plant a disagreement between their errors.
    """
    num_patterns = len(pairs[0][0])
    size = int(np.ceil(share * num_patterns - 1e-9))
    if size < MIN_PATTERNS and share < 1:
        return Agreement(UNKNOWN, UNKNOWN, size)
    drawn = rng.multinomial(num_patterns, [1 / num_patterns] * num_patterns, size=num_repeats)
    weights = np.vstack([np.ones(num_patterns), drawn]).astype(np.float64)
    found = [_correlations(x, y, _of_best(weights, y, size)) for x, y in pairs]
    taus, rhos = np.mean(found, axis=0)
    return Agreement(_limits(taus, size), _limits(rhos, size), size)


def right_pairs(
    pair: Pair, rng: np.random.Generator, share: float = 1.0, num_repeats: int = NUM_REPEATS
) -> Interval:
    """Share of pairs of patterns that the first scoring puts in the order of the second.

    A tie of the first is half right, a tie of the second no pair. 0.5 is chance. `share` and the
    limits are those of `agreement`.
    """
    x, y = pair
    size = int(np.ceil(share * len(x) - 1e-9))
    if size < MIN_PATTERNS and share < 1:
        return UNKNOWN
    drawn = rng.multinomial(len(x), [1 / len(x)] * len(x), size=num_repeats)
    weights = _of_best(np.vstack([np.ones(len(x)), drawn]).astype(np.float64), y, size)
    signs_x, signs_y = np.sign(x[:, None] - x), np.sign(y[:, None] - y)
    agreed, decided = (
        ((weights @ matrix) * weights).sum(axis=1) for matrix in (signs_x * signs_y, abs(signs_y))
    )
    found = _limits(_ratio(agreed, decided**2), size)
    return Interval(*((limit + 1) / 2 for limit in (found.estimate, found.low, found.high)))


def kendall(x: Floats, y: Floats) -> float:
    """Kendall's tau-b; NaN for fewer than 3 patterns, or where one scoring is constant."""
    return float(kendalltau(x, y).statistic) if len(x) >= 3 else float("nan")


def regret_at(pairs: Sequence[Pair], k: int) -> float:
    """How far the best of the first scoring's top `k` is below the best of all; 0 or more.

    Measured on the second scoring, in its unit, mean over the pairs. The best of all is a maximum
    of noisy scores, so the noise of the second scoring makes the regret look larger than it is.
    """
    regrets = [y.max() - y[np.argsort(-x, kind="stable")[:k]].max() for x, y in pairs]
    return float(np.mean(regrets))


def random_regret(scores: ArrayLike, k: int) -> float:
    """Expected regret of the best of `k` distinct patterns drawn by chance from `scores` `(N,)`.

    Exact: of N choose k draws, (i - 1) choose (k - 1) have the i-th lowest as their best.
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    k = min(k, len(ordered))
    shares = [comb(i, k - 1) / comb(len(ordered), k) for i in range(len(ordered))]
    return float(ordered[-1] - np.dot(shares, ordered))


def _correlations(x: Floats, y: Floats, weights_RN: Floats) -> tuple[Floats, Floats]:
    """Tau-b and rho of each row of weights; NaN where one scoring is constant."""
    signs_x, signs_y = np.sign(x[:, None] - x), np.sign(y[:, None] - y)

    def over_pairs(matrix_NN: Floats) -> Floats:
        return np.asarray(((weights_RN @ matrix_NN) * weights_RN).sum(axis=1))

    squares = over_pairs(np.abs(signs_x)) * over_pairs(np.abs(signs_y))
    taus = _ratio(over_pairs(signs_x * signs_y), squares)
    ranks_x, ranks_y = weights_RN @ signs_x.T, weights_RN @ signs_y.T
    products = (weights_RN * ranks_x * ranks_y).sum(axis=1)
    squares = (weights_RN * ranks_x**2).sum(axis=1) * (weights_RN * ranks_y**2).sum(axis=1)
    return taus, _ratio(products, squares)


def _ratio(numerator: Floats, squared: Floats) -> Floats:
    known = squared > 0
    return np.where(known, numerator / np.sqrt(np.where(known, squared, 1.0)), np.nan)


def _of_best(weights_RN: Floats, y: Floats, size: int) -> Floats:
    """The weights of the best `size` draws by `y`, 0 for all others."""
    if size >= len(y):
        return weights_RN
    order = np.argsort(-y, kind="stable")
    ordered = weights_RN[:, order]
    before = np.cumsum(ordered, axis=1) - ordered
    best = np.empty_like(weights_RN)
    best[:, order] = np.clip(size - before, 0.0, ordered)
    return best


def _limits(values_R: Floats, size: int) -> Interval:
    """The estimate, row 0, with limits from the others; a correlation stays within -1 and 1."""
    estimate, repeats = values_R[0], values_R[1:][~np.isnan(values_R[1:])]
    if np.isnan(estimate) or len(repeats) < (len(values_R) - 1) / 2 or size < 3:
        return Interval(float(estimate), float("nan"), float("nan"))
    low, high = widen_limits(repeats, estimate, size, level=LEVEL)
    return Interval(float(estimate), float(np.clip(low, -1, 1)), float(np.clip(high, -1, 1)))
