"""The noise of a training, from patterns that were trained more than once.

    variance(pattern) = exp(weights @ noise_features(pattern))

a gamma regression with logarithmic link on the unbiased variances between the seeds of a pattern,
each weighted by its degrees of freedom; the plain mean variance is its prior (ridge). The error of
the surrogate itself is what its cross-validated residuals vary beyond that noise.
"""

import numpy as np

from nasarena.experiments.patternbench.features import Floats
from nasarena.experiments.patternbench.sample import Sample
from nasarena.proxies.patternbench.surrogate import Noise, noise_features

_RIDGE = 20.0  # in patterns
_ITERATIONS = 50


def noise_of(sample: Sample, predicted: Floats, held_out: Floats) -> Noise:
    """`predicted`: the served surrogate's scores of all patterns; `held_out`: cross-validated ones.

    Where `held_out` is nan (test patterns) it takes no part.
    """
    centre, scale = float(predicted.mean()), float(predicted.std()) or 1.0
    repeated = np.flatnonzero(sample.counts > 1)
    features = np.array(
        [noise_features(sample.patterns[i], (predicted[i] - centre) / scale) for i in repeated]
    )
    freedom = (sample.counts[repeated] - 1).astype(np.float64)
    weights = gamma_regression(features, sample.variances[repeated], freedom)
    offsets = sample.offsets
    noise = Noise(weights, centre, scale, offsets, float(offsets.std(ddof=1)), 0.0)
    spreads = np.array(
        [
            noise.spread(pattern, value)
            for pattern, value in zip(sample.patterns, predicted, strict=True)
        ]
    )
    known = np.flatnonzero(np.isfinite(held_out[sample.members]))
    left = (sample.scores - held_out[sample.members])[known] ** 2
    beyond = float(np.mean(left - spreads[sample.members][known] ** 2))
    # At least a tenth of the noise: trainings of a pattern always say something about it.
    discrepancy = float(np.sqrt(max(beyond, 0.01 * float(np.mean(spreads**2)))))
    return Noise(weights, centre, scale, offsets, noise.offset_spread, discrepancy)


def gamma_regression(features: Floats, variances: Floats, freedom: Floats) -> Floats:
    """Weights of the log variance; the first feature must be constant 1, and is not shrunken.

    Iterated least squares; the shape of a variance with f degrees of freedom is f / 2.
    """
    level = float(np.average(variances, weights=freedom))
    weights = np.zeros(features.shape[1])
    weights[0] = np.log(level)
    middle = features.mean(axis=0)
    penalty = _RIDGE * np.diag(np.r_[0.0, np.ones(features.shape[1] - 1)])
    centred = features - np.r_[0.0, middle[1:]]
    for _ in range(_ITERATIONS):
        logs = centred @ weights
        working = logs + variances / np.exp(logs) - 1
        weighted = centred * freedom[:, None]
        weights = np.linalg.solve(weighted.T @ centred + penalty, weighted.T @ working)
    weights[0] -= float(middle[1:] @ weights[1:])
    return np.asarray(weights)
