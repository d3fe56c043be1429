"""A Gaussian process over patterns: the classical half of two hybrids.

    k(x, y) = (1 - w) * share of equal letters + w * share of equal neighbouring pairs

It is Bayesian linear regression on the letters and the pairs of neighbours, written as a kernel.
Scores are standardized; the weight w of pairs and the noise are chosen by marginal likelihood from
a small grid, so that a fit is a pure function of the trials.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasarena.agents.surrogates.gaussian_process import (
    Array,
    GaussianProcess,
    fit_likeliest,
    log_expected_improvement,
)
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

_PAIR_WEIGHTS = (0.1, 0.5)
_NOISES = (1e-3, 1e-2, 1e-1, 0.5)


@dataclass(frozen=True, slots=True)
class Surrogate:
    """A fitted process: `digits` (n, depth) of the patterns seen, and how scores were standardized.

    `best` is the highest score seen.
    """

    space: PatternSpace
    digits: NDArray[np.int64]
    pair_weight: float
    process: GaussianProcess
    mean: float
    scale: float
    best: float

    def predict(self, patterns: Sequence[str]) -> tuple[Array, Array]:
        """Mean and standard deviation of the score without noise, each `(len(patterns),)`."""
        asked = _digits(self.space, patterns)
        mean, deviation = self.process.predict(_kernel(asked, self.digits, self.pair_weight))
        return self.mean + self.scale * mean, self.scale * deviation

    def log_expected_improvement(self, patterns: Sequence[str]) -> Array:
        """Logarithm of the expected improvement over the best score seen, `(len(patterns),)`."""
        return log_expected_improvement(*self.predict(patterns), self.best)


def fit(space: PatternSpace, trials: Sequence[Trial]) -> Surrogate | None:
    """The process fitted to the scored trials; None if there are fewer than two scores."""
    scored = [trial for trial in trials if trial.status == "ok" and trial.score is not None]
    scores = np.array([trial.score for trial in scored], dtype=np.float64)
    if len(scores) < 2:
        return None
    mean, scale = float(scores.mean()), float(scores.std()) or 1.0
    digits = _digits(space, [trial.pattern for trial in scored])
    grams = [(weight, _kernel(digits, digits, weight)) for weight in _PAIR_WEIGHTS]
    chosen = fit_likeliest(grams, _NOISES, (scores - mean) / scale)
    best = float(scores.max())
    return Surrogate(space, digits, chosen.kernel, chosen.process, mean, scale, best)


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
