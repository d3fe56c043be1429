"""How well a surrogate ranks, and how well anything could: Kendall's tau and its noise ceiling.

A surrogate is compared with the mean of two trainings of each pattern. Even the true means would
not agree with it perfectly. How far they would is estimated from the two trainings themselves: with
r the correlation between seeds, found from their Kendall tau as r = sin(pi tau / 2) (normal scores;
Kruskal 1958), the mean of two has reliability 2r / (1 + r), correlates with the truth by its square
root, and back to tau: the ceiling is 2/pi asin(sqrt(2r / (1 + r))).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasarena.figures.stats.transfer import kendall
from nasarena.search.seeding import stream

TOP_SHARE = 0.1
_NUM_BOOTSTRAPS = 500

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Quality:
    """Kendall's tau with its ceiling and 95 % bootstrap intervals over patterns; `r2` linear."""

    kendall_tau: float
    tau_interval: tuple[float, float]
    noise_ceiling: float
    ceiling_interval: tuple[float, float]
    tau_top_tenth: float
    ceiling_top_tenth: float
    r2: float
    num_patterns: int


def quality(predicted: Floats, pairs: Floats) -> Quality:
    """`predicted` `(patterns,)` against `pairs` `(patterns, 2)`, two trainings of each.

    The top tenth is that of the mean of the two trainings, so noise hides more of what is left;
    its ceiling comes from simulated trainings of the same spread.
    """
    means = pairs.mean(axis=1)
    rng = stream(0, "quality bootstrap")
    draws = rng.integers(len(means), size=(_NUM_BOOTSTRAPS, len(means)))
    taus = [kendall(predicted[draw], means[draw]) for draw in draws]
    ceilings = [ceiling(pairs[draw]) for draw in draws]
    return Quality(
        kendall(predicted, means),
        _interval(taus),
        ceiling(pairs),
        _interval(ceilings),
        top_tau(predicted, means),
        _top_ceiling(pairs),
        float(np.corrcoef(predicted, means)[0, 1] ** 2),
        len(means),
    )


def ceiling(pairs: Floats) -> float:
    """Expected tau between the true means and the mean of two trainings; see the module."""
    between = max(0.0, float(np.sin(np.pi / 2 * kendall(pairs[:, 0], pairs[:, 1]))))
    return float(2 / np.pi * np.arcsin(np.sqrt(2 * between / (1 + between))))


def top_tau(predicted: Floats, means: Floats) -> float:
    """Tau among the patterns whose mean is in the top tenth."""
    top = means >= np.quantile(means, 1 - TOP_SHARE)
    return kendall(predicted[top], means[top])


def _top_ceiling(pairs: Floats) -> float:
    """Tau of the true means within the top tenth, by simulation.

    True means are the observed ones shrunken to their variance; trainings add normal noise.
    """
    rng = stream(0, "quality ceiling")
    noise = float(np.var(pairs[:, 0] - pairs[:, 1]) / 2)
    means = pairs.mean(axis=1)
    share = max(0.0, 1 - noise / 2 / float(np.var(means)))
    true = means.mean() + np.sqrt(share) * (means - means.mean())
    drawn = [
        top_tau(true, true + np.sqrt(noise / 2) * rng.standard_normal(len(true)))
        for _ in range(200)
    ]
    return float(np.mean(drawn))


def _interval(values: list[float]) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
