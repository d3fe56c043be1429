"""The surrogate's own error, measured on test patterns: no surrogate was fitted to their scores.

The mean of n trainings misses the prediction by the error of the surrogate and by noise:

    d^2 = mean over patterns of (mean of n trainings - predicted)^2 - spread^2 / n

This is unbiased, and so it is negative at times when d is small beside the noise. Then no error was
seen: d counts as 0, records do not move true scores, and the report keeps the square with its sign.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasarena.experiments.patternbench.features import Floats
from nasarena.experiments.patternbench.sample import Sample
from nasarena.proxies.patternbench.surrogate import Noise
from nasarena.search.seeding import stream

_NUM_BOOTSTRAPS = 2000


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """`square` is that of the error, `square_interval` its 95 % bootstrap interval (patterns)."""

    square: float
    square_interval: tuple[float, float]
    num_patterns: int

    @property
    def size(self) -> float:
        """Standard deviation, in the unit of scores; 0 for a square that is not positive."""
        return _root(self.square)

    @property
    def interval(self) -> tuple[float, float]:
        """Limits of `size`."""
        low, high = self.square_interval
        return _root(low), _root(high)


def discrepancy_of(
    sample: Sample, predicted: Floats, noise: Noise, places: NDArray[np.int64] | None = None
) -> Discrepancy:
    """`predicted`: the surrogate's scores of all patterns. `places`: default all test patterns."""
    if places is None:
        places = np.flatnonzero(sample.is_test)
    spreads = np.array([noise.spread(sample.patterns[i], float(predicted[i])) for i in places])
    errors = sample.means[places] - predicted[places]
    return mean_square(errors, spreads, sample.counts[places])


def mean_square(errors: Floats, spreads: Floats, counts: NDArray[np.int64]) -> Discrepancy:
    """From `errors` of the means of `counts` trainings whose standard deviations are `spreads`."""
    squares = errors**2 - spreads**2 / counts
    draws = stream(0, "patternbench discrepancy").integers(
        len(squares), size=(_NUM_BOOTSTRAPS, len(squares))
    )
    low, high = np.quantile(squares[draws].mean(axis=1), [0.025, 0.975])
    return Discrepancy(float(squares.mean()), (float(low), float(high)), len(squares))


def _root(square: float) -> float:
    return float(np.sqrt(max(0.0, square)))
