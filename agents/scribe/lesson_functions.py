"""Random functions to learn on: eight families; `rugged_functions` has four more.

They are lessons, not judges: the arena's own synthetic landscapes (independent Gaussian effects
per place, and tables over neighbours) are not among them, nor are the families of
`held_out_functions`, on which the model is judged.

Each is a function of digit arrays `(num_patterns, depth)` to floats `(num_patterns,)`,
scaled to mean 0 and standard deviation 1 over random patterns; higher is better.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nasarena.search.space import PatternSpace

Digits = NDArray[np.int64]
Floats = NDArray[np.float64]
Function = Callable[[Digits], Floats]
Family = Callable[[np.random.Generator, int, int], Function]


def smooth(rng: np.random.Generator, depth: int, num_letters: int) -> Function:
    """Effects that change slowly along the depth (an AR(1) walk for each letter)."""
    effects = rng.standard_normal((depth, num_letters))
    memory = rng.uniform(0.3, 0.95)
    for place in range(1, depth):
        effects[place] = memory * effects[place - 1] + np.sqrt(1 - memory**2) * effects[place]
    return _additive(effects)


def sparse(rng: np.random.Generator, depth: int, num_letters: int) -> Function:
    """Heavy-tailed effects (Student t, 2 degrees of freedom), far smaller at some places."""
    effects = rng.standard_t(2, (depth, num_letters))
    return _additive(effects * np.where(rng.random((depth, 1)) < rng.uniform(0.3, 1), 1, 0.1))


def separable(rng: np.random.Generator, depth: int, num_letters: int) -> Function:
    """One effect per letter, times a weight per place that decays, and may change its sign."""
    weights = np.exp(-np.arange(depth) * rng.uniform(0, 0.4)) * rng.choice([-1, 1], depth)
    return _additive(rng.permutation(weights)[:, None] * rng.standard_normal(num_letters))


def pairs(rng: np.random.Generator, depth: int, num_letters: int) -> Function:
    """Tables over random pairs of places, near or far, and weak effects of single places."""
    num_pairs = int(rng.integers(depth // 2, 2 * depth + 1))
    first = rng.integers(depth, size=num_pairs)
    second = (first + rng.integers(1, depth, size=num_pairs)) % depth
    tables = rng.standard_normal((num_pairs, num_letters, num_letters))
    single = _additive(rng.uniform(0, 1) * rng.standard_normal((depth, num_letters)))
    each = np.arange(num_pairs)
    return lambda digits: single(digits) + tables[each, digits[:, first], digits[:, second]].sum(1)


def motifs(rng: np.random.Generator, depth: int, num_letters: int) -> Function:
    """Weighted counts of short motifs wherever they stand, with diminishing returns."""
    num_motifs = int(rng.integers(2, 7))
    lengths = rng.integers(1, min(4, depth) + 1, size=num_motifs)
    found = [rng.integers(num_letters, size=length) for length in lengths]
    weights = rng.standard_normal(num_motifs) * lengths
    power = rng.uniform(0.5, 1.5)

    def score(digits: Digits) -> Floats:
        total = np.zeros(len(digits))
        for motif, weight in zip(found, weights, strict=True):
            windows = np.lib.stride_tricks.sliding_window_view(digits, len(motif), axis=1)
            total += weight * (windows == motif).all(2).sum(1) ** power
        return total

    return score


def ratio(rng: np.random.Generator, depth: int, num_letters: int) -> Function:
    """Shares of the letters in each of one to three stages, best near a hidden target."""
    stage = np.sort(rng.integers(int(rng.integers(1, 4)), size=depth))
    places = np.stack([stage == s for s in np.unique(stage)])  # (stages, depth)
    target = rng.dirichlet(np.ones(num_letters), len(places))
    weights = rng.uniform(0.3, 2, target.shape)
    slopes = rng.standard_normal(target.shape) * rng.uniform(0, 1)

    def score(digits: Digits) -> Floats:
        is_letter = digits[:, None, :, None] == np.arange(num_letters)
        share = (is_letter & places[:, :, None]).sum(2) / places.sum(1)[:, None]
        result: Floats = (slopes * share - weights * (share - target) ** 2).sum((1, 2))
        return result

    return score


def runs(rng: np.random.Generator, depth: int, num_letters: int) -> Function:
    """How many runs there are, how the longest compares, and where each letter's centre lies."""
    wished_runs, run_weight = rng.uniform(1, depth), rng.uniform(0.5, 3)
    centre = rng.standard_normal(num_letters)
    repeats = rng.standard_normal(num_letters)
    middle = (np.arange(depth) - (depth - 1) / 2) / depth

    def score(digits: Digits) -> Floats:
        same = digits[:, 1:] == digits[:, :-1]
        off = (depth - same.sum(1) - wished_runs) / depth
        where = (centre[digits] * middle).sum(1)
        repeated = (repeats[digits[:, 1:]] * same).sum(1)
        result: Floats = -run_weight * off**2 * depth + where + repeated / 2
        return result

    return score


def network(rng: np.random.Generator, depth: int, num_letters: int) -> Function:
    """A random network of one hidden layer over the one-hot pattern: rugged, without structure."""
    width = int(rng.integers(4, 33))
    gain = rng.uniform(0.7, 3) / np.sqrt(depth)
    inputs = gain * rng.standard_normal((depth, num_letters, width))
    bias, out = rng.standard_normal(width), rng.standard_normal(width)
    places = np.arange(depth)
    return lambda digits: np.tanh(inputs[places, digits].sum(1) + bias) @ out


def scale(function: Function, space: PatternSpace, rng: np.random.Generator) -> Function:
    """`function` shifted and stretched to mean 0, deviation 1 over 256 random patterns."""
    sample = function(rng.integers(len(space.alphabet), size=(256, space.depth)))
    mean, deviation = float(sample.mean()), float(sample.std()) or 1.0
    return lambda digits: (function(digits) - mean) / deviation


def _additive(effects: Floats) -> Function:
    places = np.arange(len(effects))
    return lambda digits: effects[places, digits].sum(1)
