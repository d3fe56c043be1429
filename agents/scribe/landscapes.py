"""Landscapes of lessons: a random space, one or two families mixed and warped, and noise.

One space in seven is like a catalogue of edits: a place is an edit, its first letter the default.
There most changes do harm, and candidates are the script as it is or a few changes of it.
"""

from dataclasses import dataclass

import numpy as np

from nasarena.agents.context import edit_letters
from nasarena.agents.scribe import lesson_functions as plain
from nasarena.agents.scribe import rugged_functions as rugged
from nasarena.agents.scribe.lesson_functions import Digits, Family, Floats, Function, scale
from nasarena.search.space import PatternSpace

# Letters a space of a lesson may have; the tokenizer writes a place and one of these as one token.
LETTERS = "AMSBCDEPQRXYZ"
DEPTHS = (4, 40)
CATALOGUE = edit_letters.LETTERS  # values of an edit, the default first
CATALOGUE_DEPTHS = (16, 40)
_CATALOGUE_SHARE = 1 / 7
_MOST_CHANGES = 6  # of a random list of edits
TRAINED: dict[str, Family] = {
    family.__name__: family
    for family in (
        *(plain.smooth, plain.sparse, plain.separable, plain.pairs),
        *(plain.motifs, plain.ratio, plain.runs, plain.network),
        *(rugged.ngrams, rugged.gaps, rugged.tables, rugged.traps),
    )
}


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

    harm = rng.uniform(0, 1) if space.alphabet == CATALOGUE else 0.0

    def judge(digits: Digits) -> Floats:
        changes: Floats = (digits != 0).sum(1) / np.sqrt(space.depth)
        return mix(digits) - harm * changes

    name = "+".join(names) if share else str(names[0])
    return NoisyFunction(space, name, scale(judge if harm else mix, space, rng), draw_noise(rng))


def draw_space(rng: np.random.Generator, max_depth: int = DEPTHS[1]) -> PatternSpace:
    """Mostly AMS, else two to four of all letters or a catalogue's; many have 16 layers."""
    if max_depth >= CATALOGUE_DEPTHS[1] and rng.random() < _CATALOGUE_SHARE:
        return PatternSpace(CATALOGUE, int(rng.integers(*CATALOGUE_DEPTHS, endpoint=True)))
    most = max_depth if rng.random() < 1 / 3 else min(max_depth, 20)
    depth = int(rng.integers(DEPTHS[0], most + 1))
    if max_depth >= 16 and rng.random() < 0.35:
        depth = 16
    if rng.random() < 0.7:
        return PatternSpace("AMS", depth)
    count = int(rng.choice([2, 2, 3, 3, 4]))
    return PatternSpace("".join(rng.permutation(list(LETTERS))[:count]), depth)


def random_candidates(space: PatternSpace, count: int, rng: np.random.Generator) -> Digits:
    """What a random searcher tries, `(count, depth)`: uniform patterns, or short lists of edits."""
    digits = rng.integers(len(space.alphabet), size=(count, space.depth))
    if space.alphabet == CATALOGUE:
        order = rng.random((count, space.depth)).argsort(1)  # the place of each in a random line
        digits[order >= rng.integers(1, _MOST_CHANGES, size=(count, 1), endpoint=True)] = 0
    return digits


def draw_noise(rng: np.random.Generator) -> float:
    """Standard deviation of the noise: none for half of the landscapes, else a level up to 1."""
    return float(rng.choice([0.0, 0.0, 0.0, *(rng.uniform(0, most) for most in (0.2, 0.5, 1.0))]))
