"""Anytime curves: filled forward in steps, ranked, and summed into one number.

Nothing is interpolated: between two trials the best score is what it was after the first of them.
A straight line between improvements would show scores that nobody had yet.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from nasarena.figures.stats.intervals import LEVEL, Floats


@dataclass(frozen=True, slots=True)
class Curve:
    """One searcher's line on a meter's grid, with its limits; all of shape `(num_points,)`."""

    grid: Floats
    middle: Floats
    low: Floats
    high: Floats

    @property
    def last(self) -> int | None:
        """Where it ends: the last point with a value, None without any."""
        known = np.flatnonzero(~np.isnan(self.middle))
        return int(known[-1]) if len(known) else None


def step_fill(meter: ArrayLike, values: ArrayLike, grid: ArrayLike) -> Floats:
    """The last of `values` whose `meter` is at or below each grid point; NaN before the first.

    `meter` must not decrease. Where several values share a meter reading (free trials) the last
    of them counts.
    """
    meter, values = np.asarray(meter), np.asarray(values, dtype=np.float64)
    position = np.searchsorted(meter, np.asarray(grid), side="right") - 1
    padded = np.append(values, np.nan)  # position -1 picks the NaN
    return padded[position]


def area_under_steps(meter: ArrayLike, values: ArrayLike, start: float, end: float) -> float:
    """Mean height of a step curve over `start..end` of its meter: its area over the width.

    `meter` `(n,)` must not decrease; the last value holds to the end. NaN where the curve has no
    value yet at `start`: an area over less than was asked for would flatter late starters.
    """
    meter, values = np.asarray(meter, dtype=np.float64), np.asarray(values, dtype=np.float64)
    edges = np.concatenate([[start], meter[(meter > start) & (meter < end)], [end]])
    heights = step_fill(meter, values, edges[:-1])
    return float((heights * np.diff(edges)).sum() / (end - start))


def ranks_over_budget(curves_SRG: ArrayLike) -> Floats:
    """Mean rank of S searchers at each of G grid points over R seeds, `(S, G)`; 1 is best.

    `curves_SRG` holds best scores, higher is better; equal ones share the mean of their ranks.
    NaN where any searcher has no score yet on any seed.
    """
    curves = np.asarray(curves_SRG, dtype=np.float64)
    known = ~np.isnan(curves).any(axis=(0, 1))
    ranks = np.full((curves.shape[0], curves.shape[2]), np.nan)
    ranks[:, known] = _ranks(curves[:, :, known]).mean(axis=1)
    return ranks


def rank_band(
    curves_SRG: ArrayLike, rng: np.random.Generator, num_repeats: int = 1_000, level: float = LEVEL
) -> tuple[Floats, Floats]:
    """Bootstrap limits of `ranks_over_budget`, each `(S, G)`: seeds are drawn, then averaged.

    All searchers of a seed stay together: the seed is what was sampled.
    """
    curves = np.asarray(curves_SRG, dtype=np.float64)
    num_searchers, num_seeds, num_points = curves.shape
    limits = np.full((2, num_searchers, num_points), np.nan)
    known = ~np.isnan(curves).any(axis=(0, 1))
    if num_seeds > 1 and known.any():
        ranks = _ranks(curves[:, :, known])
        drawn = rng.integers(num_seeds, size=(num_repeats, num_seeds))
        # How often each seed was drawn, over their number: a mean over draws is a product.
        shares = np.stack([(drawn == k).mean(axis=1) for k in range(num_seeds)], axis=1)
        means = np.einsum("bk,skg->bsg", shares, ranks)
        tail = (1 - level) / 2
        limits[:, :, known] = np.quantile(means, [tail, 1 - tail], axis=0)
    return limits[0], limits[1]


def _ranks(scores_SRG: Floats) -> Floats:
    # Equal searchers must tie: scores that differ by rounding alone are the same score.
    ranks: Floats = rankdata(-np.round(scores_SRG, 12), axis=0)
    return ranks
