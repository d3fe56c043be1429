"""Searchers as users write them. A worker imports the file of a searcher, so this one is light."""

from collections.abc import Iterator

import numpy as np

from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial


def sampling(history: list[Trial], space: PatternSpace, rng: np.random.Generator) -> str:
    return space.sample(rng)


def walking(space: PatternSpace, rng: np.random.Generator, letters: int = 1) -> Iterator[str]:
    pattern = space.sample(rng)
    while True:
        yield pattern
        for _ in range(letters):
            pattern = space.mutate(pattern, rng)


class Sampling:
    def __init__(self, space: PatternSpace, rng: np.random.Generator) -> None:
        self._space, self._rng = space, rng

    def ask(self, n: int) -> list[str]:
        return [self._space.sample(self._rng) for _ in range(n)]

    def tell(self, trials: list[Trial]) -> None:
        pass


def climbing(space: PatternSpace, rng: np.random.Generator, restart: float = 0.0) -> Iterator[str]:
    pattern = space.sample(rng)
    best = -np.inf
    while True:
        near = space.sample(rng) if rng.random() < restart else space.mutate(pattern, rng)
        trial = yield near
        if trial.score is not None and trial.score > best:
            pattern, best = near, trial.score


def failing(history: list[Trial], space: PatternSpace, rng: np.random.Generator) -> str:
    raise LookupError("out of ideas")
