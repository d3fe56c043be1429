"""A Gaussian process over patterns, in plain numpy: the classical half of two hybrids.

    k(x, y) = (1 - w) * share of equal letters + w * share of equal neighbouring pairs

It is Bayesian linear regression on the letters and the pairs of neighbours, written as a kernel.
Scores are standardized; the weight w of pairs and the noise are chosen by marginal likelihood from
a small grid, so that a fit is a pure function of the trials.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

Array = NDArray[np.float64]

_PAIR_WEIGHTS = (0.1, 0.5)
_NOISES = (1e-3, 1e-2, 1e-1, 0.5)


@dataclass(frozen=True, slots=True)
class Surrogate:
    """A fitted process: `digits` (n, depth) of the patterns seen and what prediction needs."""

    space: PatternSpace
    digits: NDArray[np.int64]
    pair_weight: float
    factor: Array  # lower Cholesky factor of the kernel with noise, (n, n)
    weights: Array  # (n,)
    mean: float
    scale: float
    best: float

    def predict(self, patterns: Sequence[str]) -> tuple[Array, Array]:
        """Mean and standard deviation of the score without noise, each `(len(patterns),)`."""
        asked = _digits(self.space, patterns)
        cross = _kernel(asked, self.digits, self.pair_weight)
        half = np.linalg.solve(self.factor, cross.T)
        variance = np.maximum(1.0 - np.sum(half**2, axis=0), 1e-12)
        return self.mean + self.scale * (cross @ self.weights), self.scale * np.sqrt(variance)

    def log_expected_improvement(self, patterns: Sequence[str]) -> Array:
        """Logarithm of the expected improvement over the best score seen, `(len(patterns),)`."""
        mean, deviation = self.predict(patterns)
        improvement: Array = np.log(deviation) + _log_gain((mean - self.best) / deviation)
        return improvement


def _log_gain(z: Array) -> Array:
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


def fit(space: PatternSpace, trials: Sequence[Trial]) -> Surrogate | None:
    """The process fitted to the scored trials; None if there are fewer than two scores."""
    scored = [trial for trial in trials if trial.status == "ok" and trial.score is not None]
    scores = np.array([trial.score for trial in scored], dtype=np.float64)
    if len(scores) < 2:
        return None
    mean, scale = float(scores.mean()), float(scores.std()) or 1.0
    digits = _digits(space, [trial.pattern for trial in scored])
    centred = (scores - mean) / scale
    kernels = [(weight, _kernel(digits, digits, weight)) for weight in _PAIR_WEIGHTS]
    fits = [
        (*_factorize(kernel + noise * np.eye(len(digits)), centred), weight)
        for (weight, kernel), noise in product(kernels, _NOISES)
    ]
    _, factor, weights, pair_weight = max(fits, key=lambda one: one[0])
    return Surrogate(space, digits, pair_weight, factor, weights, mean, scale, float(scores.max()))


def _factorize(kernel: Array, centred: Array) -> tuple[float, Array, Array]:
    """Log marginal likelihood up to a constant, Cholesky factor, weights."""
    factor = np.asarray(np.linalg.cholesky(kernel), dtype=np.float64)
    half = np.linalg.solve(factor, centred)
    weights: Array = np.linalg.solve(factor.T, half)
    likelihood = -0.5 * float(half @ half) - float(np.sum(np.log(np.diag(factor))))
    return likelihood, factor, weights


def _kernel(x: NDArray[np.int64], y: NDArray[np.int64], pair_weight: float) -> Array:
    """`(len(x), len(y))`; 1 for equal patterns."""
    equal = x[:, None, :] == y[None, :, :]
    letters: Array = equal.mean(axis=2)
    if x.shape[1] == 1:
        return letters
    pairs: Array = (equal[:, :, 1:] & equal[:, :, :-1]).mean(axis=2)
    mixed: Array = (1 - pair_weight) * letters + pair_weight * pairs
    return mixed


def _digits(space: PatternSpace, patterns: Sequence[str]) -> NDArray[np.int64]:
    return np.array([space.digits(pattern) for pattern in patterns]).reshape(-1, space.depth)
