"""The fit of the literature: at each budget a parabola of loss in log N, and a line through optima.

Approach 2 of Hoffmann et al. (arXiv 2203.15556). It is biased even without noise (arXiv
2603.22339): the true curve at one budget, E + A / N^a + B' N^b, is steeper on the side of the
larger exponent, so that a parabola puts the optimum beside the true one, by more the wider the
grid of sizes; and where sizes lie unevenly about the optimum, by another amount at each budget,
which bends the exponent of the frontier too. `bias_of_parabolas` shows how much on a known law.

Shapes: K sizes, T budgets, R repeats (or 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nasarena.figures.stats.intervals import Floats
from nasarena.figures.stats.scaling_law import Laws

MIN_SIZES = 3
MIN_BUDGETS = 2


@dataclass(frozen=True, slots=True)
class Parabola:
    """Loss = bottom + curvature x (log N - log optimum)^2 at one budget; NaN: it has no bottom.

    `is_inside`: the optimum lies between the smallest and the largest size that were trained.
    """

    budget: float
    curvature: float
    optimum: float
    bottom: float
    is_inside: bool

    def losses(self, params: Floats) -> Floats:
        """The curve at these N."""
        return self.bottom + self.curvature * np.log(params / self.optimum) ** 2


@dataclass(frozen=True, slots=True)
class ParabolaFrontier:
    """Through the optima: N grows as FLOPs^`allocation`, the whole loss falls as FLOPs^-`slope`.

    That slope has no floor: it flattens as the loss nears E, and is not comparable with the slope
    of a law. `repeats` hold (allocation, slope) of each resample, `(R, 2)`; NaN where it has none.
    """

    parabolas: tuple[Parabola, ...]
    allocation: float
    slope: float
    repeats: Floats = field(repr=False)

    @property
    def is_inside(self) -> bool:
        """Whether every optimum lies between sizes that were trained."""
        return all(each.is_inside for each in self.parabolas)


def fit_parabola(budget: float, params: Floats, losses: Floats) -> Parabola:
    """Least squares through K >= 3 sizes `(K,)`."""
    bends, optima, bottoms = _bottoms(params, losses[None])
    optimum = float(optima[0])
    inside = bool(params.min() <= optimum <= params.max())
    return Parabola(budget, float(bends[0]), optimum, float(bottoms[0]), inside)


def fit_frontier(
    budgets: Sequence[float], params: Sequence[Floats], losses: Sequence[Floats]
) -> ParabolaFrontier:
    """Parabolas of T >= 2 budgets and the lines through their optima, on log-log axes.

    For each budget `params` has `(K,)`, and `losses` `(1 + R, K)`: first as measured, then
    resampled.
    """
    found = [_bottoms(*each) for each in zip(params, losses, strict=True)]
    log_budgets = np.log(np.asarray(budgets, dtype=np.float64))
    optima, bottoms = (np.array([each[place] for each in found]) for place in (1, 2))
    lines = np.column_stack([_slopes(log_budgets, optima), -_slopes(log_budgets, bottoms)])
    parabolas = [
        fit_parabola(budget, own, each[0])
        for budget, own, each in zip(budgets, params, losses, strict=True)
    ]
    allocation, slope = lines[0]
    return ParabolaFrontier(tuple(parabolas), float(allocation), float(slope), lines[1:])


def bias_of_parabolas(
    law: Laws, budgets: Sequence[float], sizes: Sequence[Floats], per_product: float = 6.0
) -> tuple[ParabolaFrontier, list[float]]:
    """What parabolas find on a law without noise, and their optimum / the true one by budget.

    `sizes` are trained at each budget, on budget / (`per_product` x N) tokens; `law` has one
    architecture. Its true exponent is `law.allocation`.
    """
    losses = [
        law.losses(0, params, budget / per_product / params)[None]
        for budget, params in zip(budgets, sizes, strict=True)
    ]
    found = fit_frontier(budgets, sizes, losses)
    true, _ = law.optimum(0, np.asarray(budgets) / per_product)
    return found, [each.optimum / at for each, at in zip(found.parabolas, true, strict=True)]


def _bottoms(params: Floats, losses_RK: Floats) -> tuple[Floats, Floats, Floats]:
    """Curvature, optimal N and least loss of each row; NaN where a parabola opens downwards."""
    middle = np.log(params).mean()
    x = np.log(params) - middle
    bend, tilt, height = np.polyfit(x, losses_RK.T, 2)
    bend = np.where(bend > 0, bend, np.nan)
    with np.errstate(over="ignore"):
        return bend, np.exp(middle - tilt / (2 * bend)), height - tilt**2 / (4 * bend)


def _slopes(x: Floats, positive_TR: Floats) -> Floats:
    """Slope of log y in x for each column; NaN where a value is missing or not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(positive_TR)
    centred = x - x.mean()
    return np.asarray(centred @ logs / (centred @ centred))
