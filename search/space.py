"""The set of allowed patterns. A pattern is a plain `str`, one letter per residual layer.

`PatternSpace("AMS", 16)` holds 3^16 = 43,046,721 patterns: A attention, M MLP, S Mamba. Patterns
are numbered in the order of their letters read as digits, the first letter the most significant,
so the index is a bijection onto `range(space.size)`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasarena.search.errors import InvalidPattern, InvalidSetting


@dataclass(frozen=True, slots=True)
class PatternSpace:
    """All patterns of `depth` letters over `alphabet`.

    Raises InvalidSetting for an alphabet with repeated or non-letter signs, or a depth below 1.
    """

    alphabet: str = "AMS"
    depth: int = 16

    def __post_init__(self) -> None:
        if not self.alphabet.isalpha() or len(set(self.alphabet)) != len(self.alphabet):
            raise InvalidSetting(
                f"space.alphabet must be distinct letters such as 'AMS', got {self.alphabet!r}"
            )
        if self.depth < 1:
            raise InvalidSetting(f"space.depth must be at least 1, got {self.depth}")

    @property
    def size(self) -> int:
        """Number of patterns, `len(alphabet) ** depth`."""
        return int(len(self.alphabet) ** self.depth)

    def validate(self, pattern: object) -> str:
        """`pattern` itself if it belongs to the space.

        Raises InvalidPattern otherwise, naming the first position that fails, counted from 1.
        """
        if not isinstance(pattern, str):
            shown = _shorten(repr(pattern))
            raise InvalidPattern(
                f"pattern must be a string of {self.depth} letters from {self.alphabet}, "
                f"got {type(pattern).__name__} ({shown})"
            )
        for position, letter in enumerate(pattern, start=1):
            if letter not in self.alphabet:
                raise InvalidPattern(
                    f"pattern must have {self.depth} letters from {self.alphabet}, "
                    f"got {letter!r} at position {position} ({_shorten(pattern)!r})"
                )
        if len(pattern) != self.depth:
            raise InvalidPattern(
                f"pattern must have {self.depth} letters from {self.alphabet}, "
                f"got {len(pattern)} ({_shorten(pattern)!r})"
            )
        return pattern

    def __contains__(self, pattern: object) -> bool:
        return (
            isinstance(pattern, str)
            and len(pattern) == self.depth
            and all(letter in self.alphabet for letter in pattern)
        )

    def sample(self, rng: np.random.Generator) -> str:
        """One pattern, uniform over the space."""
        return self._from_digits(rng.integers(len(self.alphabet), size=self.depth))

    def sample_distinct(self, count: int, rng: np.random.Generator) -> list[str]:
        """`count` different patterns, uniform; the first of them are the same for a larger count.

        Raises InvalidSetting where the space has not as many.
        """
        if count > self.size:
            raise InvalidSetting(
                f"patterns must be at most the {self.size} of the space, got {count}"
            )
        patterns: dict[str, None] = {}
        while len(patterns) < count:
            patterns[self.sample(rng)] = None
        return list(patterns)

    def digits(self, pattern: str) -> NDArray[np.int64]:
        """Letters as digits, shape `(depth,)`, each in `range(len(alphabet))`."""
        return np.array([self.alphabet.index(letter) for letter in pattern], dtype=np.int64)

    def from_digits(self, digits: object) -> str:
        """The pattern of `depth` digits; the inverse of `digits`."""
        return self.validate(self._from_digits(np.asarray(digits)))

    def index(self, pattern: str) -> int:
        """Rank of `pattern` in `range(size)`."""
        index = 0
        for letter in self.validate(pattern):
            index = index * len(self.alphabet) + self.alphabet.index(letter)
        return index

    def pattern(self, index: int) -> str:
        """The pattern of rank `index`; the inverse of `index`. Raises InvalidPattern outside."""
        if not 0 <= index < self.size:
            raise InvalidPattern(f"index must be in 0..{self.size - 1}, got {index}")
        letters = []
        for _ in range(self.depth):
            index, digit = divmod(index, len(self.alphabet))
            letters.append(self.alphabet[digit])
        return "".join(reversed(letters))

    def one_hot(self, pattern: str) -> NDArray[np.float64]:
        """Shape `(depth, len(alphabet))`, one 1 in each row."""
        return np.eye(len(self.alphabet))[self.digits(pattern)]

    def neighbours(self, pattern: str) -> Iterator[str]:
        """Every pattern at Hamming distance 1, by position, then by letter."""
        for position, old in enumerate(pattern):
            for letter in self.alphabet:
                if letter != old:
                    yield pattern[:position] + letter + pattern[position + 1 :]

    def mutate(self, pattern: str, rng: np.random.Generator, num_changes: int = 1) -> str:
        """`pattern` with exactly `num_changes` positions set to another letter, all uniform."""
        if len(self.alphabet) == 1:
            return pattern
        letters = list(pattern)
        if num_changes == 1:  # the common case, without the cost of a permutation
            positions = [int(rng.integers(self.depth))]
        else:
            positions = rng.permutation(self.depth)[:num_changes].tolist()
        for position in positions:
            others = self.alphabet.replace(letters[position], "")
            letters[position] = others[rng.integers(len(others))]
        return "".join(letters)

    def crossover(self, first: str, second: str, rng: np.random.Generator) -> str:
        """A child that takes each position from either parent with probability 1/2."""
        coins = rng.random(self.depth) < 0.5
        return "".join(a if coin else b for a, b, coin in zip(first, second, coins, strict=True))

    def hamming(self, first: str, second: str) -> int:
        """Number of positions in which two patterns of this space differ."""
        return sum(a != b for a, b in zip(first, second, strict=True))

    def _from_digits(self, digits: NDArray[np.int64]) -> str:
        return "".join([self.alphabet[digit] for digit in digits.tolist()])


def _shorten(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else text[:limit] + "..."
