"""Candidates that small changes do not reach: a stretch shifted, and a stretch repeated.

    AMSAMMSA  ->  AAMSAMSA   the stretch from 2 to 6 moved down by one, its last letter to its top
    AMSAMMSA  ->  AMSAMSAM   the first three letters, over and over

Where order counts and not places, as in n-grams and spaced motifs, one of these is worth a dozen
changes of single letters.
"""

import numpy as np

from nasarena.agents.scribe.lesson_functions import Digits


def shift(parents: Digits, rng: np.random.Generator) -> Digits:
    """Each `(n, depth)` parent with a random stretch turned round by one layer, up or down."""
    num, depth = parents.shape
    first, last = np.sort(rng.integers(depth, size=(2, num, 1)), axis=0)
    step = rng.choice([-1, 1], size=(num, 1))
    places = np.arange(depth)
    inside = (places >= first) & (places <= last)
    source = np.where(inside, first + (places - first + step) % (last - first + 1), places)
    return np.take_along_axis(parents, source, axis=1)


def repeat(parents: Digits, rng: np.random.Generator, longest: int = 6) -> Digits:
    """Each parent with a random stretch of at most `longest` layers in place of all that follow."""
    num, depth = parents.shape
    period = rng.integers(1, min(longest, depth) + 1, size=(num, 1))
    first = rng.integers(0, depth - period + 1)
    start = np.where(rng.random((num, 1)) < 0.5, 0, first)  # half from the top on
    places = np.arange(depth)
    source = np.where(places >= start, first + (places - start) % period, places)
    return np.take_along_axis(parents, source, axis=1)
