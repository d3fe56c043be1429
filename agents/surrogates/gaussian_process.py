"""A Gaussian process with unit prior variance, whatever its kernel, and expected improvement.

A caller brings the kernel as matrices: between the points seen (`gram`), and from points asked to
points seen (`cross`), both 1 for equal points. Targets are standardized.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Kernel = TypeVar("Kernel")
_LEAST_VARIANCE = 1e-9


@dataclass(frozen=True, slots=True)
class GaussianProcess:
    """The posterior given n targets.

    `factor` is the lower Cholesky factor of gram + noise, (n, n), `weights` are its inverse times
    the targets, (n,), `evidence` the log marginal likelihood up to a constant (Rasmussen & Williams
    2006, eq. 2.30).
    """

    factor: Array
    weights: Array
    evidence: float

    @classmethod
    def fit(cls, gram: Array, noise: float, targets: Array) -> "GaussianProcess":
        """`noise` is the variance of a target in units of the prior variance."""
        from scipy.linalg import cho_solve

        factor = np.asarray(np.linalg.cholesky(gram + noise * np.eye(len(gram))))
        weights = np.asarray(cho_solve((factor, True), targets, check_finite=False))
        evidence = -0.5 * targets @ weights - np.log(np.diag(factor)).sum()
        return cls(factor, weights, float(evidence))

    def predict(self, cross: Array) -> tuple[Array, Array]:
        """Mean and standard deviation without noise, each (m,), for a cross of (m, n)."""
        from scipy.linalg import solve_triangular

        half = solve_triangular(self.factor, cross.T, lower=True, check_finite=False)
        variance = np.maximum(1.0 - (half**2).sum(axis=0), _LEAST_VARIANCE)
        return cross @ self.weights, np.sqrt(variance)


@dataclass(frozen=True, slots=True)
class Choice(Generic[Kernel]):
    """The likeliest of several processes on the same targets, and the kernel it has."""

    kernel: Kernel
    gram: Array
    process: GaussianProcess


def fit_likeliest(
    grams: Iterable[tuple[Kernel, Array]], noises: Iterable[float], targets: Array
) -> Choice[Kernel]:
    """The kernel and noise of highest evidence, of equals the first; each kernel with its gram."""
    noises = tuple(noises)
    choices = [
        Choice(kernel, gram, GaussianProcess.fit(gram, noise, targets))
        for kernel, gram in grams
        for noise in noises
    ]
    return max(choices, key=lambda choice: choice.process.evidence)


def expected_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """Expected improvement over `best` (Jones et al. 1998, eq. 15), (m,)."""
    from scipy.special import ndtr

    z = (mean - best) / deviation
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    improvement: Array = deviation * (z * ndtr(z) + density)
    return improvement


def log_expected_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """Logarithm of the expected improvement over `best`; finite however far below it."""
    improvement: Array = np.log(deviation) + log_gain((mean - best) / deviation)
    return improvement


def log_gain(z: Array) -> Array:
    """log(phi(z) + z Phi(z)) without underflow, by the scaled complementary error function."""
    from scipy.special import erfcx, ndtr

    log_density = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    high, low = np.maximum(z, -1.0), np.clip(z, -100.0, -1.0)
    plain = np.log(np.exp(-0.5 * high**2) / np.sqrt(2 * np.pi) + high * ndtr(high))
    # phi(z) (1 - |z| sqrt(pi / 2) erfcx(|z| / sqrt 2)); beyond -100 it is phi(z) / z^2.
    scaled = np.log1p(low * np.sqrt(np.pi / 2) * erfcx(-low / np.sqrt(2)))
    far = -2 * np.log(np.maximum(-z, 1.0))
    gain: Array = np.where(z > -1, plain, log_density + np.where(z > -100, scaled, far))
    return gain
