"""The untried patterns of a space, and uniform samples of them."""

from collections.abc import Iterable

import numpy as np

from nasarena.search.candidates.protocol import Space
from nasarena.search.space import PatternSpace


class Untried:
    """The patterns of `space` that were neither told nor drawn so far."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._seen: set[str] = set()

    def __contains__(self, pattern: str) -> bool:
        return pattern not in self._seen

    @property
    def num_left(self) -> int:
        """A number far too large where the space has no end."""
        return int(min(self._space.size, 1 << 62)) - len(self._seen)

    def discard(self, patterns: Iterable[str]) -> None:
        """These have been tried; what is not in the space is ignored."""
        self._seen.update(pattern for pattern in patterns if pattern in self._space)

    def draw(self, rng: np.random.Generator) -> str | None:
        """One untried pattern, uniform, from now on tried; None when none is left.

        By rejection while the space is mostly untried, from the list of what is left after.
        """
        if self.num_left == 0:
            return None
        if not isinstance(self._space, PatternSpace) or 2 * len(self._seen) < self._space.size:
            pattern = self._space.sample(rng)
            while pattern in self._seen:
                pattern = self._space.sample(rng)
        else:
            everything = map(self._space.pattern, range(self._space.size))
            left = [pattern for pattern in everything if pattern not in self._seen]
            pattern = left[rng.integers(len(left))]
        self._seen.add(pattern)
        return pattern
