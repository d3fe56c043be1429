"""Landscapes of lessons: a random space, one or two families mixed and warped, and noise."""

from dataclasses import dataclass

import numpy as np

from nasarena.agents.scribe import lesson_functions as plain
from nasarena.agents.scribe import rugged_functions as rugged
from nasarena.agents.scribe.lesson_functions import Digits, Family, Floats, Function, scale
from nasarena.search.space import PatternSpace

# Letters a space of a lesson may have; the tokenizer writes a place and one of these as one token.
LETTERS = "AMSBCDPQRXYZ"
DEPTHS = (4, 32)
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

    name = "+".join(names) if share else str(names[0])
    return NoisyFunction(space, name, scale(mix, space, rng), draw_noise(rng))


def draw_space(rng: np.random.Generator, max_depth: int = DEPTHS[1]) -> PatternSpace:
    """Mostly AMS, else two to four of all letters; a third has 16 layers, a sixth more than 20."""
    most = max_depth if rng.random() < 1 / 3 else min(max_depth, 20)
    depth = int(rng.integers(DEPTHS[0], most + 1))
    if max_depth >= 16 and rng.random() < 0.35:
        depth = 16
    if rng.random() < 0.7:
        return PatternSpace("AMS", depth)
    count = int(rng.choice([2, 2, 3, 3, 4]))
    return PatternSpace("".join(rng.permutation(list(LETTERS))[:count]), depth)


def draw_noise(rng: np.random.Generator) -> float:
    """Standard deviation of the noise: none for half of the landscapes, else a level up to 1."""
    return float(rng.choice([0.0, 0.0, 0.0, *(rng.uniform(0, most) for most in (0.2, 0.5, 1.0))]))
