"""The noise of a training, from patterns that were meant to be trained more than once.

    variance(pattern) = exp(weights @ noise_features(pattern))

a gamma regression with logarithmic link on the unbiased variances between the seeds of a pattern,
each weighted by its degrees of freedom; the plain mean variance is its prior (ridge). Of patterns
that were trained again because they had scored high, the trainings of the elite round alone take
part: earlier ones were chosen for luck, so the gap to the next one is mostly that luck.
"""

from dataclasses import replace

import numpy as np

from nasarena.experiments.patternbench.discrepancy import discrepancy_of
from nasarena.experiments.patternbench.features import Floats
from nasarena.experiments.patternbench.sample import Sample
from nasarena.proxies.patternbench.surrogate import KNEE, Noise, noise_features

_RIDGE = 20.0  # in patterns
_ITERATIONS = 50


def noise_of(sample: Sample, predicted: Floats) -> Noise:
    """Noise and discrepancy of a surrogate whose scores of all patterns are `predicted`."""
    centre, scale = float(predicted.mean()), float(predicted.std()) or 1.0
    repeats = sample.repeats
    elite, variances, counts = sample.elite_variances()
    places = np.concatenate([repeats, elite])
    standings = (predicted[places] - centre) / scale
    features = np.array(
        [noise_features(sample.patterns[i], s) for i, s in zip(places, standings, strict=True)]
    )
    freedom = np.concatenate([sample.counts[repeats], counts]) - 1.0
    observed = np.concatenate([sample.variances[repeats], variances])
    weights = gamma_regression(features, observed, freedom)
    highest = max(KNEE, float(np.quantile(standings[len(repeats) :], 0.9))) if len(elite) else KNEE
    offsets = sample.offsets
    noise = Noise(weights, centre, scale, offsets, float(offsets.std(ddof=1)), 0.0, highest)
    return replace(noise, discrepancy=discrepancy_of(sample, predicted, noise).size)


def fitted_spread(sample: Sample, predicted: Floats, noise: Noise) -> float:
    """Root mean square of the noise of the trainings that nested errors are measured against."""
    members = sample.members[sample.rows_of(~sample.is_test)]
    spreads = [noise.spread(sample.patterns[i], float(predicted[i])) for i in members]
    return float(np.sqrt(np.mean(np.square(spreads))))


def pooled_spread(sample: Sample) -> float:
    """Standard deviation between trainings of one pattern and run seed, the same for all."""
    repeats = sample.repeats
    freedom = sample.counts[repeats] - 1
    return float(np.sqrt(np.average(sample.variances[repeats], weights=freedom)))


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
