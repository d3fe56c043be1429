"""How many windows of layers two patterns have in common, place by place, from bits.

Windows go around: after the last layer comes the first, so every layer is in as many. Each binary
digit of the letters of up to 64 layers is one machine word, so a pair of patterns takes a few
operations on words whatever the window. Deeper patterns take further words, each of which begins
where the windows counted in the one before end.
"""

from collections.abc import Sequence
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

Digits = NDArray[np.int64]
Words = NDArray[np.uint64]
Window = tuple[int, ...]
_WORD = 64  # bits


class EqualWindows:
    """Counts for patterns of `depth` layers over `num_letters` letters.

    A window is the layers it looks at, relative to its first: (0, 1) are two neighbours, (0, 2) two
    with one between them. The last offset is the highest.
    """

    def __init__(self, depth: int, num_letters: int, windows: Sequence[Window]) -> None:
        self.windows = tuple(windows)
        self._depth, self._reach = depth, max(window[-1] for window in windows)
        self._num_planes = max(1, (num_letters - 1).bit_length())
        step = _WORD - self._reach  # starts in one word, with their ends
        self._firsts = range(0, depth, step)
        self._masks = [_bits(min(step, depth - first)) for first in self._firsts]

    def encode(self, digits_NT: Digits) -> Words:
        """Shape `(words, planes, N)`."""
        around_NT = digits_NT[:, np.arange(self._depth + self._reach) % self._depth]
        words = np.zeros((len(self._firsts), self._num_planes, len(digits_NT)), np.uint64)
        for place, first in enumerate(self._firsts):
            part_NT = around_NT[:, first : first + _WORD].astype(np.uint64)
            powers_T = np.uint64(1) << np.arange(part_NT.shape[1], dtype=np.uint64)
            for plane in range(self._num_planes):
                bits_NT = (part_NT >> np.uint64(plane)) & np.uint64(1)
                words[place, plane] = (bits_NT * powers_T).sum(axis=1, dtype=np.uint64)
        return words

    def counts(self, first: Words, second: Words) -> list[NDArray[np.intp]]:
        """In how many places each window is equal, one array of shape `(M, N)` for each."""
        shape = (first.shape[2], second.shape[2])
        totals = [np.zeros(shape, np.intp) for _ in self.windows]
        for one, other, mask in zip(first, second, self._masks, strict=True):
            differ_MN = one[0][:, None] ^ other[0][None]
            for plane in range(1, self._num_planes):
                differ_MN |= one[plane][:, None] ^ other[plane][None]
            equal_MN = ~differ_MN
            shifted = {offset: equal_MN >> np.uint64(offset) for offset in self._offsets}
            for total_MN, window in zip(totals, self.windows, strict=True):
                total_MN += np.bitwise_count(
                    reduce(np.bitwise_and, [shifted[offset] for offset in window]) & mask
                )
        return totals

    @cached_property
    def _offsets(self) -> set[int]:
        return {offset for window in self.windows for offset in window}


def _bits(count: int) -> np.uint64:
    """A word whose lowest `count` bits are 1."""
    return np.uint64((1 << count) - 1)
