"""Random search without repeats: uniform over what has not been tried yet.

The baseline that every other searcher is compared to. Bergstra & Bengio 2012.
"""

from collections.abc import Sequence

import numpy as np

from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial


@searcher("random")
class RandomSearch:
    """Asks distinct patterns; stops when the space is exhausted."""

    def __init__(self, space: PatternSpace, rng: np.random.Generator) -> None:
        self._space, self._rng = space, rng
        self._seen: set[str] = set()

    def ask(self, n: int) -> list[str]:
        n = min(n, self._space.size - len(self._seen))
        fresh: list[str] = []
        while len(fresh) < n:
            pattern = self._draw()
            if pattern not in self._seen:
                self._seen.add(pattern)
                fresh.append(pattern)
        return fresh

    def tell(self, trials: Sequence[Trial]) -> None:
        self._seen.update(trial.pattern for trial in trials if trial.pattern in self._space)

    def _draw(self) -> str:
        """By rejection while the space is mostly untried, from the list of what is left after."""
        if 2 * len(self._seen) < self._space.size:
            return self._space.sample(self._rng)
        left = [
            pattern
            for pattern in map(self._space.pattern, range(self._space.size))
            if pattern not in self._seen
        ]
        return left[self._rng.integers(len(left))]
