"""Random functions to learn on: ten families, 4 to 20 layers, 2 to 4 letters, with noise.

They are lessons, not judges: the arena's own synthetic landscapes (independent Gaussian effects
per place, and NK tables) are not among them, and two families never appear in training at all, so
that the model card can report on kinds of landscape the model has not met.

Each is a function of digit arrays `(num_patterns, depth)` to floats `(num_patterns,)`,
scaled to mean 0 and standard deviation 1 over random patterns; higher is better.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasarena.search.space import PatternSpace

Digits = NDArray[np.int64]
Floats = NDArray[np.float64]
Function = Callable[[Digits], Floats]
Family = Callable[[np.random.Generator, int, int], Function]

# Letters a space of a lesson may have; the tokenizer writes a place and one of these as one token.
LETTERS = "AMSBCDPQRXYZ"
DEPTHS = (4, 20)


@dataclass(frozen=True, slots=True)
class NoisyFunction:
    """A space, a noiseless function over it, and the standard deviation of a score's noise."""

    space: PatternSpace
    family: str
    function: Function
    noise: float

    def scores(self, digits: Digits, rng: np.random.Generator) -> Floats:
        """Noisy scores of the patterns, shape `(num_patterns,)`."""
        return self.function(digits) + self.noise * rng.standard_normal(len(digits))


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


def trees(rng: np.random.Generator, depth: int, num_letters: int) -> Function:
    """Random decision trees of three questions `is place p of letter l`; held out of training."""
    num_trees = int(rng.integers(4, 25))
    place = rng.integers(depth, size=(num_trees, 7))
    letter = rng.integers(num_letters, size=(num_trees, 7))
    leaves = rng.standard_normal((num_trees, 8))

    def score(digits: Digits) -> Floats:
        yes = digits[:, place] == letter  # (patterns, trees, 7 questions, in heap order)
        node = np.zeros(yes.shape[:2], dtype=np.int64)
        for _ in range(3):
            answer = np.take_along_axis(yes, node[:, :, None], 2)[:, :, 0]
            node = 2 * node + 1 + answer
        result: Floats = leaves[np.arange(num_trees), node - 7].sum(1)
        return result

    return score


def targets(rng: np.random.Generator, depth: int, num_letters: int) -> Function:
    """Closeness to the nearest of a few hidden patterns of unequal worth; held out of training."""
    num_targets = int(rng.integers(1, 5))
    hidden = rng.integers(num_letters, size=(num_targets, depth))
    worth = rng.uniform(0, depth / 4, num_targets)
    weights = rng.uniform(0.3, 1.7, depth)
    return lambda digits: ((digits[:, None] == hidden) @ weights + worth).max(1)


TRAINED: dict[str, Family] = {
    family.__name__: family
    for family in (smooth, sparse, separable, pairs, motifs, ratio, runs, network)
}
HELD_OUT: dict[str, Family] = {family.__name__: family for family in (trees, targets)}


def draw(rng: np.random.Generator, max_depth: int = DEPTHS[1]) -> NoisyFunction:
    """A random function of the trained families: often a mixture of two, often warped."""
    space = draw_space(rng, max_depth)
    names = rng.choice(list(TRAINED), size=2, replace=False)
    first = scale(TRAINED[names[0]](rng, space.depth, len(space.alphabet)), space, rng)
    second = scale(TRAINED[names[1]](rng, space.depth, len(space.alphabet)), space, rng)
    share = rng.choice([0.0, 0.0, rng.uniform(0, 1)])
    bend = rng.choice([0.0, 0.0, rng.uniform(-0.5, 0.8)])

    def mix(digits: Digits) -> Floats:
        plain = first(digits) + share * second(digits) if share else first(digits)
        return np.expm1(bend * np.clip(plain, -4, 4)) / bend if bend else plain

    name = "+".join(names) if share else str(names[0])
    return NoisyFunction(space, name, scale(mix, space, rng), draw_noise(rng))


def draw_space(rng: np.random.Generator, max_depth: int = DEPTHS[1]) -> PatternSpace:
    """Mostly AMS, else two to four of all letters; a third of the deep spaces has 16 layers."""
    depth = int(rng.integers(DEPTHS[0], max_depth + 1))
    if max_depth >= 16 and rng.random() < 0.35:
        depth = 16
    if rng.random() < 0.7:
        return PatternSpace("AMS", depth)
    count = int(rng.choice([2, 2, 3, 3, 4]))
    return PatternSpace("".join(rng.permutation(list(LETTERS))[:count]), depth)


def draw_noise(rng: np.random.Generator) -> float:
    """Standard deviation of the noise: none for half of the landscapes, else up to 0.6."""
    return float(rng.choice([0.0, rng.uniform(0, 0.6)]))


def scale(function: Function, space: PatternSpace, rng: np.random.Generator) -> Function:
    """`function` shifted and stretched to mean 0, deviation 1 over 256 random patterns."""
    sample = function(rng.integers(len(space.alphabet), size=(256, space.depth)))
    mean, deviation = float(sample.mean()), float(sample.std()) or 1.0
    return lambda digits: (function(digits) - mean) / deviation


def _additive(effects: Floats) -> Function:
    places = np.arange(len(effects))
    return lambda digits: effects[places, digits].sum(1)
