"""Random functions that no lesson has: five families on which the embedded agent is judged.

Their structure is of other kinds than that of the lessons (`lesson_functions`) and of the arena's
own landscapes: questions asked one after the other, hidden patterns, a memory that runs along the
depth, order without places, and maps composed layer after layer. What is to be chosen is chosen on
fresh functions of the lessons' families.

As with lessons, a function maps digits `(num_patterns, depth)` to floats `(num_patterns,)`, scaled
to mean 0 and standard deviation 1 over random patterns; higher is better.
"""

import numpy as np

from nasarena.agents.scribe.landscapes import TRAINED, NoisyFunction
from nasarena.agents.scribe.lesson_functions import Digits, Family, Floats, Function, scale
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

NOISES = (0.0, 0.1, 0.33)  # a seed has one of them, in turn
_STARTS = 64  # of the climbs that look for the best pattern


def trees(rng: np.random.Generator, depth: int, num_letters: int) -> Function:
    """Random decision trees of three questions `is place p of letter l`."""
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
    """Closeness to the nearest of a few hidden patterns of unequal worth."""
    num_targets = int(rng.integers(1, 5))
    hidden = rng.integers(num_letters, size=(num_targets, depth))
    worth = rng.uniform(0, depth / 4, num_targets)
    weights = rng.uniform(0.3, 1.7, depth)
    return lambda digits: ((digits[:, None] == hidden) @ weights + worth).max(1)


def automaton(rng: np.random.Generator, depth: int, num_letters: int) -> Function:
    """A finite automaton reads the pattern and is paid for each letter, by the state it is in."""
    num_states = int(rng.integers(2, 6))
    after = rng.integers(num_states, size=(num_states, num_letters))
    pay = rng.standard_normal((num_states, num_letters))

    def score(digits: Digits) -> Floats:
        state, total = np.zeros(len(digits), dtype=np.int64), np.zeros(len(digits))
        for letter in digits.T:
            total += pay[state, letter]
            state = after[state, letter]
        return total

    return score


def alignment(rng: np.random.Generator, depth: int, num_letters: int) -> Function:
    """The weight of the heaviest common subsequence with a hidden pattern: order, not places."""
    hidden = rng.integers(num_letters, size=depth)
    weights = rng.uniform(0.3, 1.7, depth)

    def score(digits: Digits) -> Floats:
        row = np.zeros((len(digits), depth + 1))  # by how much of the hidden pattern is used
        for letter in digits.T:
            taken = row[:, :-1] + weights * (letter[:, None] == hidden)
            row[:, 1:] = np.maximum(row[:, 1:], taken)
            row = np.maximum.accumulate(row, axis=1)
        result: Floats = row[:, -1]
        return result

    return score


def composition(rng: np.random.Generator, depth: int, num_letters: int) -> Function:
    """Each letter is a map of a hidden state; the score reads the state after every layer."""
    width, gain = 4, rng.uniform(0.7, 1.5)
    maps = gain * rng.standard_normal((num_letters, width, width)) / np.sqrt(width)
    shifts, read = rng.standard_normal((num_letters, width)), rng.standard_normal(width)

    def score(digits: Digits) -> Floats:
        state, total = np.zeros((len(digits), width)), np.zeros(len(digits))
        for letter in digits.T:
            state = np.tanh((maps[letter] @ state[:, :, None])[:, :, 0] + shifts[letter])
            total += state @ read
        return total

    return score


HELD_OUT: dict[str, Family] = {
    family.__name__: family for family in (trees, targets, automaton, alignment, composition)
}


def draw_function(family: str, space: PatternSpace, seed: int) -> NoisyFunction:
    """Function number `seed` of a family over the space: a held-out one, or one of the lessons."""
    rng = stream(seed, "held out", family, space.alphabet, space.depth)
    function = (TRAINED | HELD_OUT)[family](rng, space.depth, len(space.alphabet))
    return NoisyFunction(space, family, scale(function, space, rng), NOISES[seed % len(NOISES)])


def best_known(drawn: NoisyFunction, rng: np.random.Generator) -> float:
    """The highest score that climbs over single changes reach from many random patterns."""
    depth, num_letters = drawn.space.depth, len(drawn.space.alphabet)
    place = np.repeat(np.arange(depth), num_letters - 1)
    shift = np.tile(np.arange(1, num_letters), depth)
    each = np.arange(len(place))
    best = -np.inf
    for _ in range(_STARTS):
        digits = rng.integers(num_letters, size=depth)
        here = -np.inf
        while True:
            near = np.tile(digits, (len(place), 1))
            near[each, place] = (digits[place] + shift) % num_letters
            scores = drawn.function(near)
            if scores.max() <= here:
                break
            digits, here = near[scores.argmax()], float(scores.max())
        best = max(best, here)
    return best
