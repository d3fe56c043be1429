"""What a score is made of: pattern, seed, and how many seeds drown the noise.

One-way random effects: score = pattern + noise, seed by seed. The interval of the intraclass
correlation is the exact one for normal scores (Shrout & Fleiss 1979, p. 424); how many paired seeds
see a gap follows from the power of the test that a comparison uses (power.py).
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as scipy_stats

from nasarena.figures.stats.agreement import icc1
from nasarena.figures.stats.intervals import LEVEL, Interval
from nasarena.figures.stats.power import seeds_for


def icc_interval(scores_PK: ArrayLike, level: float = LEVEL) -> Interval:
    """ICC(1) of `(num_patterns, num_seeds)` with its limits; NaN where all scores are equal."""
    scores = np.asarray(scores_PK, dtype=np.float64)
    num_patterns, num_seeds = scores.shape
    if np.ptp(scores) == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    within = scores.var(axis=1, ddof=1).mean()
    if within == 0:
        return Interval(1.0, 1.0, 1.0)
    ratio = num_seeds * scores.mean(axis=1).var(ddof=1) / within
    degrees, tail = (num_patterns - 1, num_patterns * (num_seeds - 1)), (1 - level) / 2
    low = ratio / scipy_stats.f.isf(tail, *degrees)
    high = ratio * scipy_stats.f.isf(tail, *degrees[::-1])
    limits = [float((r - 1) / (r + num_seeds - 1)) for r in (low, high)]
    return Interval(icc1(scores), *limits)


def spreads(scores_PK: ArrayLike) -> tuple[float, float]:
    """Standard deviations of a score that are due to the pattern and to the seed."""
    scores = np.asarray(scores_PK, dtype=np.float64)
    within = scores.var(axis=1, ddof=1).mean()
    between = scores.mean(axis=1).var(ddof=1) - within / scores.shape[1]
    return float(np.sqrt(max(0.0, between))), float(np.sqrt(within))


def reliability_of_mean(icc: float, num_seeds: int) -> float:
    """ICC of a mean over `num_seeds` trainings (Spearman-Brown)."""
    return num_seeds * icc / (1 + (num_seeds - 1) * icc)


def seeds_to_see(gap: float, noise: float, num_trainings: int = 1) -> int | None:
    """Paired seeds with which a true `gap` is found at p < .05 with power 0.8; None above 1,000.

    Each side's score averages `num_trainings` trainings of noise standard deviation `noise`, so a
    paired difference has sqrt(2 / num_trainings) of it. Gap and noise are in one unit.
    """
    if gap <= 0:
        return None
    spread = noise * float(np.sqrt(2 / num_trainings))
    return seeds_for(gap / spread if spread > 0 else float("inf"))
