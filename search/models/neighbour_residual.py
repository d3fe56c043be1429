"""What is left of scores beside a model, shared among similar patterns.

    residual = effect + noise,   covariance of effects = share * variance * exp(-distance / scale)

Distance is the number of layers in which two patterns differ. The share of the variance that
neighbours have in common, and the scale, are those of highest likelihood on a small grid, under a
prior of exp(-share); one eigendecomposition a scale makes the rest of the grid free (Kang et al.
2008).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nasarena.search.models.window_optimum import Floats

_SCALES = (1.0, 2.0, 4.0)  # layers
_SHARES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def neighbour_effects(patterns: Sequence[str], residuals_N: Floats) -> Floats:
    """The posterior mean of each pattern's effect, shape `(N,)`; noise is what no neighbour has."""
    distances_NN = hamming_distances(patterns)
    best, effects_N = -np.inf, np.zeros(len(residuals_N))
    for scale in _SCALES:
        values_N, vectors_NN = np.linalg.eigh(np.exp(-distances_NN / scale))
        turned_N = vectors_NN.T @ residuals_N
        for share in _SHARES:
            spread_N = share * values_N + (1 - share)
            variance = max(float(np.mean(turned_N**2 / spread_N)), 1e-300)
            likelihood = -float(len(spread_N) * np.log(variance) + np.log(spread_N).sum()) / 2
            if likelihood - share > best:  # patterns without neighbours show nothing of the share
                best = likelihood - share
                effects_N = vectors_NN @ (share * values_N / spread_N * turned_N)
    return effects_N


def hamming_distances(patterns: Sequence[str]) -> NDArray[np.int64]:
    """In how many layers each two patterns differ, shape `(N, N)`."""
    codes_NT = np.array([[ord(letter) for letter in pattern] for pattern in patterns])
    distances_NN: NDArray[np.int64] = (codes_NT[:, None] != codes_NT[None]).sum(axis=2)
    return distances_NN
