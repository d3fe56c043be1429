"""What is left of scores beside a model, shared among similar patterns.

    residual = effect + noise,   covariance of effects = share * variance * exp(-distance / scale)

Distance is the number of layers in which two patterns differ. The share of the variance that
neighbours have in common, and the scale, are those of highest likelihood on a small grid, under a
prior of exp(-share); one eigendecomposition a scale makes the rest of the grid free (Kang et al.
2008).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasarena.search.models.window_optimum import Floats

_SCALES = (1.0, 2.0, 4.0)  # layers
_SHARES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class NeighbourFit:
    """The effects of N patterns as their residuals show them, and what follows for others.

    `values_N`, `vectors_NN` are the eigendecomposition of exp(-distance / scale), `turned_N` the
    residuals in its basis.
    """

    patterns: Sequence[str]
    scale: float
    share: float
    variance: float
    values_N: Floats
    vectors_NN: Floats
    turned_N: Floats

    @property
    def effects_N(self) -> Floats:
        """The posterior mean of each pattern's effect, shape `(N,)`."""
        effects_N: Floats = self.vectors_NN @ (
            self.share * self.values_N / self._spread_N * self.turned_N
        )
        return effects_N

    def predict(self, patterns: Sequence[str]) -> tuple[Floats, Floats]:
        """Posterior mean and variance of the effects of any M patterns, each of shape `(M,)`."""
        near_MN = np.exp(-hamming_distances(patterns, self.patterns) / self.scale)
        turned_MN = self.share * near_MN @ self.vectors_NN
        known_M = np.sum(turned_MN**2 / self._spread_N, axis=1)
        means_M = turned_MN @ (self.turned_N / self._spread_N)
        return means_M, self.variance * np.maximum(self.share - known_M, 0.0)

    @property
    def _spread_N(self) -> Floats:
        return self.share * self.values_N + (1 - self.share)


def neighbour_effects(patterns: Sequence[str], residuals_N: Floats) -> Floats:
    """The posterior mean of each pattern's effect, shape `(N,)`; noise is what no neighbour has."""
    return fit_neighbours(patterns, residuals_N).effects_N


def fit_neighbours(patterns: Sequence[str], residuals_N: Floats) -> NeighbourFit:
    """The share and the scale of highest likelihood for these residuals."""
    distances_NN = hamming_distances(patterns, patterns)
    best: tuple[float, NeighbourFit] | None = None
    for scale in _SCALES:
        values_N, vectors_NN = np.linalg.eigh(np.exp(-distances_NN / scale))
        turned_N = vectors_NN.T @ residuals_N
        for share in _SHARES:
            spread_N = share * values_N + (1 - share)
            variance = max(float(np.mean(turned_N**2 / spread_N)), 1e-300)
            likelihood = -float(len(spread_N) * np.log(variance) + np.log(spread_N).sum()) / 2
            # Patterns without neighbours show nothing of the share.
            if best is None or likelihood - share > best[0]:
                found = NeighbourFit(
                    patterns, scale, share, variance, values_N, vectors_NN, turned_N
                )
                best = likelihood - share, found
    assert best is not None
    return best[1]


def hamming_distances(
    patterns: Sequence[str], others: Sequence[str] | None = None
) -> NDArray[np.int64]:
    """In how many layers patterns differ from others, by default each other, shape `(M, N)`."""
    codes_MT, codes_NT = _codes(patterns), _codes(patterns if others is None else others)
    distances_MN: NDArray[np.int64] = (codes_MT[:, None] != codes_NT[None]).sum(axis=2)
    return distances_MN


def _codes(patterns: Sequence[str]) -> NDArray[np.int64]:
    return np.array([[ord(letter) for letter in pattern] for pattern in patterns])
