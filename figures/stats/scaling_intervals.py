"""Intervals of scaling laws and of their differences, by a bootstrap over trainings and seeds.

The laws are fitted again, together, to losses drawn around the fitted ones (`scaling_cells.py`):
noise is what seeds differ by, or, where a cell has one seed, what the law leaves over. Limits are
percentiles of the repeats, their distances from the estimate stretched by t / z for the number of
pieces of information on the noise, as everywhere here (`intervals.py`). Two architectures are
compared within each repeat, so that what they share, E above all, moves both.

Noise of a seed that all architectures feel (the same text in the same order) is drawn for each on
its own: intervals of differences are then wider than need be, never narrower.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from nasarena.figures.stats.intervals import LEVEL, Floats, Interval, student_factor
from nasarena.figures.stats.scaling_cells import Cells, deviations, resample
from nasarena.figures.stats.scaling_law import Laws, Noise, Sharing, fit_laws

NUM_REPEATS = 1_000
# What intervals are given for, by name.
QUANTITIES: dict[str, Callable[[Laws], Floats]] = {
    "E": lambda laws: laws.E,
    "A": lambda laws: laws.A,
    "a": lambda laws: laws.a,
    "B": lambda laws: laws.B,
    "b": lambda laws: laws.b,
    "allocation": lambda laws: laws.allocation,
    "slope": lambda laws: laws.slope,
}
DIFFERENCES = ("a", "b", "allocation", "slope")


@dataclass(frozen=True, slots=True)
class LawStudy:
    """Fitted laws with the laws of all repeats.

    `misfit`: standard deviation of what the law leaves over, in units of what seeds explain; near 1
    where the law holds, NaN without repeated seeds. `freedom`: of the noise. `noise_from` says what
    was resampled.
    """

    cells: Cells = field(repr=False)
    laws: Laws
    repeats: tuple[Laws, ...] = field(repr=False)
    freedom: int
    noise_from: str
    misfit: float

    def of(self, quantity: str, group: int) -> Interval:
        """One of `QUANTITIES` of one architecture."""
        measure = QUANTITIES[quantity]
        repeats = np.array([measure(laws)[group] for laws in self.repeats])
        return self._limits(float(measure(self.laws)[group]), repeats)

    def difference(self, quantity: str, first: int, second: int) -> Interval:
        """The first architecture's less the second's."""
        measure = QUANTITIES[quantity]
        own = measure(self.laws)
        repeats = np.array([measure(laws) for laws in self.repeats])
        return self._limits(float(own[first] - own[second]), repeats[:, first] - repeats[:, second])

    def frontier(self, group: int, products: Floats) -> tuple[Floats, Floats, Floats]:
        """Least loss at each N x D `(K,)`, with the limits of its band."""
        return self._band(self._curves(group, products))

    def frontier_difference(
        self, first: int, second: int, products: tuple[Floats, Floats]
    ) -> tuple[Floats, Floats, Floats]:
        """Least loss of the first less the second's, each at its own N x D `(K,)`, and a band."""
        return self._band(self._curves(first, products[0]) - self._curves(second, products[1]))

    def _curves(self, group: int, products: Floats) -> Floats:
        """Frontiers of the laws and of all repeats, `(1 + R, K)`."""
        every = (self.laws, *self.repeats)
        return np.array([laws.losses(group, *laws.optimum(group, products)) for laws in every])

    def _band(self, curves: Floats) -> tuple[Floats, Floats, Floats]:
        middle = curves[0]
        low, high = np.nanquantile(curves[1:], _TAILS, axis=0, method=_METHOD)
        return middle, middle - self._scale * (middle - low), middle + self._scale * (high - middle)

    @property
    def _scale(self) -> float:
        return student_factor(self.freedom)

    def _limits(self, estimate: float, repeats: Floats) -> Interval:
        if self.freedom < 2 or not np.isfinite(estimate):
            return Interval(estimate, float("nan"), float("nan"))
        low, high = np.quantile(repeats[np.isfinite(repeats)], _TAILS, method=_METHOD)
        scale = self._scale
        return Interval(
            estimate, estimate - scale * (estimate - low), estimate + scale * (high - estimate)
        )


# Beyond this quantile lies the share of its name, on average; numpy's default lies too far inside.
_METHOD: Literal["weibull"] = "weibull"
_TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)


def study_laws(
    cells: Cells,
    rng: np.random.Generator,
    sharing: Sharing = "floor",
    noise: Noise = "equal",
    num_repeats: int = NUM_REPEATS,
) -> LawStudy:
    """Fit, and fit again to resampled losses. Raises InvalidSetting for too few cells."""
    laws = fit_laws(cells, sharing, noise)
    fitted = predict_losses(laws, cells)
    scale = np.ones(len(fitted)) if noise == "equal" else fitted
    left_over = (cells.means - fitted) / scale
    num_fitted = _num_parameters(len(cells.names), sharing)
    spare = len(fitted) - num_fitted
    if cells.has_seeds:
        pool, freedom = deviations(cells) / scale[:, None], cells.freedom
    else:  # a residual is of a cell's mean; resampled as if each cell had one seed
        stretch = np.sqrt(len(fitted) / max(spare, 1))
        pool, freedom = (left_over * stretch)[:, None], spare
    drawn = resample(cells, np.zeros(len(fitted)), rng, num_repeats, pool)
    repeats = tuple(fit_laws(cells, sharing, noise, fitted + each * scale, laws) for each in drawn)
    return LawStudy(
        cells,
        laws,
        repeats,
        freedom,
        "seeds" if cells.has_seeds else "residuals of the fit",
        _misfit(cells, left_over, deviations(cells) / scale[:, None], spare),
    )


def predict_losses(laws: Laws, cells: Cells) -> Floats:
    """What the laws say of each cell, `(C,)`."""
    found = np.empty(len(cells.group))
    for group in range(len(cells.names)):
        own = cells.group == group
        found[own] = laws.losses(group, cells.params[own], cells.tokens[own])
    return found


def _num_parameters(size: int, sharing: Sharing) -> int:
    exponents = 2 if sharing == "floor and exponents" else 2 * size
    return (size if sharing == "nothing" else 1) + 2 * size + exponents


def _misfit(cells: Cells, left_over: Floats, deviations_CS: Floats, spare: int) -> float:
    """Root of (mean square of residuals of cells, by their seeds) / (variance of one training)."""
    repeated = deviations_CS[cells.num_seeds > 1]
    if not len(repeated) or spare < 1:
        return float("nan")
    variance = np.nanmean(repeated**2)  # each deviation is stretched to that of one training
    square = (cells.num_seeds * left_over**2).sum() / spare
    return float(np.sqrt(square / variance)) if variance > 0 else float("nan")
