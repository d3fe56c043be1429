"""How many windows of neighbouring layers two patterns have in common, place by place, from bits.

Each binary digit of the letters of up to 64 layers is one machine word, so a pair of patterns takes
a few operations on words whatever the window. Deeper patterns take further words, each of which
begins where the windows counted in the one before end.
"""

import numpy as np
from numpy.typing import NDArray

Digits = NDArray[np.int64]
Words = NDArray[np.uint64]
_WORD = 64  # bits


class EqualWindows:
    """Counts for patterns of `depth` layers over `num_letters` letters, windows up to `widest`."""

    def __init__(self, depth: int, num_letters: int, widest: int) -> None:
        self.depth, self.widest = depth, widest
        self._num_planes = max(1, (num_letters - 1).bit_length())
        step = _WORD - widest + 1  # window starts of one word; their ends are in it too
        self._firsts = range(0, depth, step)
        # masks[word][width - 1]: the starts in this word at which a window of `width` fits.
        self._masks = [
            [_bits(min(step, depth - width + 1 - first), _WORD) for width in range(1, widest + 1)]
            for first in self._firsts
        ]

    def encode(self, digits_NT: Digits) -> Words:
        """Shape `(words, planes, N)`."""
        words = np.zeros((len(self._firsts), self._num_planes, len(digits_NT)), np.uint64)
        for place, first in enumerate(self._firsts):
            part_NT = digits_NT[:, first : first + _WORD].astype(np.uint64)
            powers_T = np.uint64(1) << np.arange(part_NT.shape[1], dtype=np.uint64)
            for plane in range(self._num_planes):
                bits_NT = (part_NT >> np.uint64(plane)) & np.uint64(1)
                words[place, plane] = (bits_NT * powers_T).sum(axis=1, dtype=np.uint64)
        return words

    def counts(self, first: Words, second: Words) -> list[NDArray[np.intp]]:
        """Equal windows of 1, 2, ... `widest` layers, each of shape `(M, N)`."""
        totals: list[NDArray[np.intp]] = []
        for one, other, masks in zip(first, second, self._masks, strict=True):
            differ_MN = one[0][:, None] ^ other[0][None]
            for plane in range(1, self._num_planes):
                differ_MN |= one[plane][:, None] ^ other[plane][None]
            equal_MN = ~differ_MN
            run_MN = equal_MN
            found = []
            for width, mask in enumerate(masks, start=1):
                if width > 1:
                    run_MN = run_MN & (equal_MN >> np.uint64(width - 1))
                found.append(np.bitwise_count(run_MN & mask).astype(np.intp))
            totals = found if not totals else [a + b for a, b in zip(totals, found, strict=True)]
        return totals


def _bits(count: int, width: int) -> np.uint64:
    """A word whose lowest `count` bits are 1."""
    return np.uint64((1 << min(max(count, 0), width)) - 1)
