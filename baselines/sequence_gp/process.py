"""The posterior of a Gaussian process that grows by one pattern at a time.

The inverse of the Cholesky factor is kept: one more pattern appends a row to it in O(N^2), and the
variances of M candidates are one matrix product.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from nasarena.baselines.sequence_gp.evidence import Hyperparameters
from nasarena.baselines.sequence_gp.sequence_kernels import (
    Encoded,
    Floats,
    SequenceKernels,
    join,
)

_LEAST_VARIANCE = 1e-10


@dataclass(frozen=True, slots=True)
class Process:
    """Conditioned on N patterns. `root_NN` is the inverse of the lower Cholesky factor of the
    covariance of scores, `gram_NN` that covariance without the noise.
    """

    kernels: SequenceKernels
    hyperparameters: Hyperparameters
    patterns: Encoded
    gram_NN: Floats
    root_NN: Floats

    @classmethod
    def of(
        cls, kernels: SequenceKernels, hyperparameters: Hyperparameters, patterns: Encoded
    ) -> "Process":
        """From nothing, in O(N^3)."""
        gram_NN = kernels.mixed(hyperparameters.weights_K, patterns, patterns)
        identity_NN = np.eye(len(gram_NN))
        factor_NN = np.linalg.cholesky(gram_NN + hyperparameters.noise * identity_NN)
        root_NN = solve_triangular(factor_NN, identity_NN, lower=True, check_finite=False)
        return cls(kernels, hyperparameters, patterns, gram_NN, np.asarray(root_NN))

    def __len__(self) -> int:
        return len(self.gram_NN)

    def extend(self, one: Encoded) -> "Process":
        """Conditioned on one more pattern."""
        num, noise = len(self), self.hyperparameters.noise
        cross_N = self._covariance(one, self.patterns)[0]
        half_N = self.root_NN @ cross_N
        # Its variance given the others is that of the noise at least; rounding must not matter.
        pivot = np.sqrt(max(self._prior + noise - half_N @ half_N, noise / 2))
        root_NN, gram_NN = np.zeros((num + 1, num + 1)), np.empty((num + 1, num + 1))
        root_NN[:num, :num] = self.root_NN
        root_NN[num, :num] = -(half_N @ self.root_NN) / pivot
        root_NN[num, num] = 1 / pivot
        gram_NN[:num, :num] = self.gram_NN
        gram_NN[num, :num] = gram_NN[:num, num] = cross_N
        gram_NN[num, num] = self._prior
        patterns = join(self.patterns, one)
        return Process(self.kernels, self.hyperparameters, patterns, gram_NN, root_NN)

    def weights(self, scores_N: Floats) -> Floats:
        """Covariance of scores, inverted, times the scores: what a mean is linear in, `(N,)`."""
        weights_N: Floats = self.root_NN.T @ (self.root_NN @ scores_N)
        return weights_N

    def means(self, weights_N: Floats) -> Floats:
        """Posterior means of the N patterns themselves, shape `(N,)`."""
        means_N: Floats = self.gram_NN @ weights_N
        return means_N

    def predict(self, candidates: Encoded, weights_N: Floats) -> tuple[Floats, Floats]:
        """Posterior means and deviations without noise of M candidates, each `(M,)`."""
        cross_MN = self._covariance(candidates, self.patterns)
        half_MN = cross_MN @ self.root_NN.T
        variance_M = self._prior - np.einsum("mn,mn->m", half_MN, half_MN)
        return cross_MN @ weights_N, np.sqrt(np.maximum(variance_M, _LEAST_VARIANCE))

    @property
    def _prior(self) -> float:
        """Variance of any pattern before its score is known: every kernel has 1 there."""
        return float(self.hyperparameters.weights_K.sum())

    def _covariance(self, first: Encoded, second: Encoded) -> Floats:
        return self.kernels.mixed(self.hyperparameters.weights_K, first, second)
