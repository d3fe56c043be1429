"""A function of patterns that asks for letters far apart: a product over spaced motifs.

A motif is some letters with fixed gaps between them, and may be found anywhere in a pattern:

    raw(pattern) = product over motifs of max over shifts of the number of letters that match

as in the Ehrlich functions of Stanton et al. (2024, arXiv 2407.00236), whose quality levels these
are; patterns that theirs call infeasible do not exist here. The motifs are cut out of one hidden
pattern, each with places of its own, so the optimum is known: every letter of every motif. No
window of adjacent letters sees a motif, and a letter that helps one may break another. The values
of the whole space come from one pass over pairs of half patterns.
"""

from collections.abc import Iterable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nasarena.search.errors import InvalidSetting

MAX_ENUMERATED = 1 << 28  # patterns of a full pass: 1 GiB of int32
MAX_VALUE = 1 << 30


class SpacedMotifs:
    """`places` and `letters` have a row for each motif, shape (num_motifs, length).

    Places of a row rise; letters are digits. Raises InvalidSetting for what cannot be enumerated:
    mean and deviation are of the whole space.
    """

    def __init__(
        self, places: NDArray[np.int64], letters: NDArray[np.int64], num_letters: int, depth: int
    ) -> None:
        size = num_letters**depth
        if size > MAX_ENUMERATED:
            raise InvalidSetting(
                f"a space of {size} patterns is too large for motifs, at most {MAX_ENUMERATED} "
                f"patterns; take a smaller depth"
            )
        self.num_letters, self.depth = num_letters, depth
        self._gaps: list[list[int]] = (places - places[:, :1]).tolist()
        self._letters: list[list[int]] = letters.tolist()

    @staticmethod
    def draw(
        num_motifs: int, length: int, num_letters: int, depth: int, rng: np.random.Generator
    ) -> "SpacedMotifs":
        """Motifs of random letters at random places, no place twice.

        Raises InvalidSetting where they do not fit.
        """
        if num_motifs * length > depth:
            raise InvalidSetting(
                f"{num_motifs} motifs of {length} letters do not fit a pattern of {depth}; "
                f"take fewer or shorter ones"
            )
        if length**num_motifs > MAX_VALUE:
            raise InvalidSetting(f"{num_motifs} motifs of {length} letters have too many levels")
        hidden = rng.integers(num_letters, size=depth)
        taken = rng.permutation(depth)[: num_motifs * length].reshape(num_motifs, length)
        places = np.sort(taken, axis=1)
        return SpacedMotifs(places, hidden[places], num_letters, depth)

    def raw(self, digits: Iterable[int]) -> int:
        """The value of one pattern, given its letters as digits."""
        pattern = list(digits)
        value = 1
        for gaps, letters in zip(self._gaps, self._letters, strict=True):
            motif = list(zip(gaps, letters, strict=True))
            value *= max(
                sum(pattern[shift + gap] == letter for gap, letter in motif)
                for shift in range(self.depth - gaps[-1])
            )
        return value

    def raw_many(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Values of many patterns, given as ranks in the space; any shape."""
        powers = self.num_letters ** np.arange(self.depth - 1, -1, -1)
        digits = np.asarray(indices, dtype=np.int64)[..., None] // powers % self.num_letters
        values = np.ones(digits.shape[:-1], dtype=np.int64)
        for gaps, letters in zip(self._gaps, self._letters, strict=True):
            matches = [
                (digits[..., shift : shift + gaps[-1] + 1][..., gaps] == letters).sum(axis=-1)
                for shift in range(self.depth - gaps[-1])
            ]
            values *= np.max(matches, axis=0)
        return values

    def raw_all(self) -> NDArray[np.int32]:
        """Values of the whole space in the order of ranks, shape `(num_letters ** depth,)`."""
        first = self.depth // 2
        heads, tails = self._halves(first), self._halves(self.depth - first)
        values = np.ones((len(heads), len(tails)), dtype=np.int32)
        for gaps, letters in zip(self._gaps, self._letters, strict=True):
            found = np.zeros(values.shape, dtype=np.uint8)
            for shift in range(self.depth - gaps[-1]):
                head, tail = (np.zeros(len(half), np.uint8) for half in (heads, tails))
                for gap, letter in zip(gaps, letters, strict=True):
                    place = shift + gap
                    if place < first:
                        head += heads[:, place] == letter
                    else:
                        tail += tails[:, place - first] == letter
                np.maximum(found, head[:, None] + tail, out=found)
            values *= found
        return values.reshape(-1)

    @cached_property
    def optimum(self) -> tuple[tuple[int, ...], int]:
        """Digits and value of the best pattern; of several best ones that of lowest rank."""
        best = len(self._levels) - 1
        rank = int(np.argmax(self.raw_all() == best))
        powers = self.num_letters ** np.arange(self.depth - 1, -1, -1)
        return tuple((rank // powers % self.num_letters).tolist()), best

    @cached_property
    def lowest(self) -> int:
        """The lowest value of all."""
        return int(np.flatnonzero(self._levels)[0])

    @cached_property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation over the whole space."""
        values = np.arange(len(self._levels), dtype=np.float64)
        mean = float(np.average(values, weights=self._levels))
        return mean, float(np.average((values - mean) ** 2, weights=self._levels)) ** 0.5

    @cached_property
    def _levels(self) -> NDArray[np.int64]:
        """How many patterns have each value, shape (highest + 1,)."""
        return np.bincount(self.raw_all())

    def _halves(self, length: int) -> NDArray[np.uint8]:
        """The letters of all patterns of a length in the order of ranks, shape (size, length)."""
        powers = self.num_letters ** np.arange(length - 1, -1, -1)
        ranks = np.arange(self.num_letters**length)
        return (ranks[:, None] // powers % self.num_letters).astype(np.uint8)
