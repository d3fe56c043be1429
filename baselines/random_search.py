"""Random search without repeats: uniform over what has not been tried yet.

The baseline that every other searcher is compared to. Bergstra & Bengio 2012.
"""

from collections.abc import Sequence

import numpy as np

from nasarena.baselines.untried import Untried
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial


@searcher("random")
class RandomSearch:
    """Uniform, without repeats; stops when the space is exhausted."""

    def __init__(self, space: PatternSpace, rng: np.random.Generator) -> None:
        self._rng = rng
        self._untried = Untried(space)

    def ask(self, n: int) -> list[str]:
        drawn = (self._untried.draw(self._rng) for _ in range(n))
        return [pattern for pattern in drawn if pattern is not None]

    def tell(self, trials: Sequence[Trial]) -> None:
        self._untried.discard(trial.pattern for trial in trials)
