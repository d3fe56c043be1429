"""Bayesian linear regression of scores on features of patterns, one prior variance a block.

    score = mean + features @ weights + noise,   weights of block b ~ Normal(0, variance_b)

The variances and that of the noise are the mode of the marginal likelihood under weak
inverse-gamma priors, found by expectation maximization (Tipping 2001, with groups for single
weights). Scores are standardized first, so the priors mean the same for every proxy.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

from nasarena.search.models.pattern_features import Features
from nasarena.search.models.window_optimum import Floats

_SHAPE, _SCALE = 0.5, 0.05  # of the priors
_FROM_NOTHING, _WARM = 30, 5  # steps of expectation maximization


@dataclass(frozen=True, slots=True)
class Posterior:
    """What scores say of the weights, in units of standardized scores.

    `root_FF` is the upper Cholesky factor of the precision; `variances` of blocks and `noise` are
    variances too.
    """

    mean_F: Floats
    root_FF: Floats
    variances: Floats
    noise: float
    centre: float
    spread: float

    def predict(self, features_NF: Floats) -> Floats:
        """Posterior mean of the true scores, shape `(N,)`, in the units of scores."""
        return self.centre + self.spread * (features_NF @ self.mean_F)

    def sample(self, rng: np.random.Generator) -> Floats:
        """Weights drawn from the posterior, shape `(F,)`."""
        drawn: Floats = solve_triangular(self.root_FF, rng.normal(size=len(self.mean_F)))
        return self.mean_F + drawn


def fit(
    features: Features, features_NF: Floats, scores_N: Floats, start: Posterior | None = None
) -> Posterior:
    """The posterior of `scores_N`; `start`, one of fewer scores, saves most of the work."""
    centre, spread = float(np.mean(scores_N)), float(np.std(scores_N)) or 1.0
    y_N = (scores_N - centre) / spread
    gram_FF, moment_F = features_NF.T @ features_NF, features_NF.T @ y_N
    sizes = np.array(features.sizes)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    variances = np.full(len(sizes), 0.5) if start is None else start.variances
    noise = 0.5 if start is None else start.noise
    for _ in range(_FROM_NOTHING if start is None else _WARM):
        mean_F, root_FF = _solve(gram_FF, moment_F, np.repeat(1 / variances, sizes), noise)
        covariance_FF: Floats = cho_solve((root_FF, False), np.eye(len(mean_F)))
        squares_F = mean_F**2 + np.diag(covariance_FF)
        variances = (np.add.reduceat(squares_F, starts) + 2 * _SCALE) / (sizes + 2 * _SHAPE + 2)
        residual = np.sum((y_N - features_NF @ mean_F) ** 2) + np.sum(gram_FF * covariance_FF)
        noise = float((residual + 2 * _SCALE) / (len(y_N) + 2 * _SHAPE + 2))
    mean_F, root_FF = _solve(gram_FF, moment_F, np.repeat(1 / variances, sizes), noise)
    return Posterior(mean_F, root_FF, variances, noise, centre, spread)


def _solve(
    gram_FF: Floats, moment_F: Floats, precisions_F: Floats, noise: float
) -> tuple[Floats, Floats]:
    """Mean of the weights, and the upper Cholesky factor of their precision."""
    root_FF: Floats = cholesky(gram_FF / noise + np.diag(precisions_F))
    mean_F: Floats = cho_solve((root_FF, False), moment_F / noise)
    return mean_F, root_FF
