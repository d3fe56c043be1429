"""Maximizes an acquisition function over untried patterns by discrete local search.

Local searches start from the best of many random patterns and of the neighbours of good ones, and
take the steepest step over single-letter changes. Each step of all of them is one batch, because a
call of a Gaussian process costs far more than one more row. A space that fits into one batch is
enumerated. The starts follow BoTorch's `optimize_acqf_discrete_local_search`: 5 searches out of 256
draws.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from nasarena.search.candidates.protocol import Space
from nasarena.search.space import PatternSpace

Values = Callable[[Sequence[str]], NDArray[np.float64]]
Accepts = Callable[[str], bool]


def best_candidate(
    space: Space,
    rng: np.random.Generator,
    values: Values,
    accepts: Accepts,
    favourites: Iterable[str] = (),
    num_starts: int = 256,
    num_climbers: int = 5,
) -> str | None:
    """The accepted pattern with the highest value that was found; None if none is accepted.

    `values` maps n patterns to shape `(n,)`, higher is better.
    """
    if isinstance(space, PatternSpace) and space.size <= num_starts:
        everything = map(space.pattern, range(space.size))
        starts = [pattern for pattern in everything if accepts(pattern)]
        num_climbers = 1
    else:
        around = chain.from_iterable(space.neighbours(pattern) for pattern in favourites)
        drawn = (space.sample(rng) for _ in range(num_starts))
        starts = [pattern for pattern in dict.fromkeys((*around, *drawn)) if accepts(pattern)]
    known = _Known(values)
    known.look(starts)
    climbers = sorted(starts, key=known.value, reverse=True)[:num_climbers]
    while climbers:
        near = [_feasible_neighbours(space, pattern, accepts) for pattern in climbers]
        known.look(chain.from_iterable(near))
        moved = [max((old, *new), key=known.value) for old, new in zip(climbers, near, strict=True)]
        if moved == climbers:
            return max(climbers, key=known.value)
        climbers = list(dict.fromkeys(moved))
    return None


def _feasible_neighbours(space: Space, pattern: str, accepts: Accepts) -> list[str]:
    return [near for near in space.neighbours(pattern) if accepts(near)]


class _Known:
    """Values looked up so far, so that none is computed twice."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._known: dict[str, float] = {}

    def look(self, patterns: Iterable[str]) -> None:
        new = [pattern for pattern in dict.fromkeys(patterns) if pattern not in self._known]
        if new:
            self._known.update(zip(new, self._values(new).tolist(), strict=True))

    def value(self, pattern: str) -> float:
        return self._known[pattern]
