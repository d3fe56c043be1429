"""A network over windows of three letters whose scores are exact: the served surrogate.

    score(pattern) = grid * (intercept + sum over units u of sign_u * max(0, hidden_u))
    hidden(pattern) = sum over i of tables[i, letters i, i+1, i+2]

A letter, a pair or a triple at a position, and any count of them, are sums over windows, so every
network with one hidden layer on n-gram and position features has this form. Tables hold integers
small enough for float32 to add them without rounding, in any order: a score is the same to the last
bit one by one, in batches, and materialized, on every machine.

`hidden` is a sum of two table rows: one for the first 8 letters, one for the last 10, whose first
two only complete the windows that reach across the middle. So one pattern costs a handful of numpy
calls, and 3^16 patterns are 3^8 blocks of 3^8.
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

LETTERS = "AMS"
DEPTH = 16
WIDTH = 3
HALF = 3**8  # patterns of 8 letters
NUM_WINDOWS = DEPTH - WIDTH + 1
EXACT = 1 << 24  # float32 adds integers below this exactly
_CHUNK = 4096
_TO_DIGITS = str.maketrans(LETTERS, "012")


class WindowNetwork:
    """`tables` `(14, 27, units)` and `intercept` are multiples of `grid`; `signs` are 1 or -1."""

    def __init__(
        self, tables: NDArray[np.int32], signs: NDArray[np.int8], intercept: int, grid: float
    ) -> None:
        assert tables.shape[:2] == (NUM_WINDOWS, 3**WIDTH), tables.shape
        self.tables, self.signs, self.intercept, self.grid = tables, signs, intercept, grid
        largest = np.abs(tables.astype(np.int64)).max(axis=1).sum(axis=0).sum() + abs(intercept)
        assert largest < EXACT, f"sums up to {largest} are not exact in float32"
        self._signs = signs.astype(np.float32)

    @classmethod
    def quantise(
        cls, tables: NDArray[np.float64], signs: NDArray[np.int8], intercept: float
    ) -> "WindowNetwork":
        """Real tables on the finest power of two for which all sums are exact."""
        largest = np.abs(tables).max(axis=1).sum(axis=0).sum() + abs(intercept)
        # One less than would fit: rounding adds up to half a step per window and unit.
        exponent = int(np.floor(np.log2(EXACT / largest))) - 1
        integers = np.rint(tables * 2.0**exponent).astype(np.int32)
        return cls(integers, signs, round(intercept * 2.0**exponent), 2.0**-exponent)

    def raw(self, pattern: str) -> int:
        """The score of one pattern in steps of the grid."""
        digits = pattern.translate(_TO_DIGITS)
        first, last = self._halves
        hidden = first[int(digits[:8], 3)] + last[int(digits[6:], 3)]
        return int(np.maximum(hidden, 0.0, out=hidden) @ self._signs) + self.intercept

    def scores(self, codes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Scores of patterns given as ranks in `PatternSpace("AMS", 16)`; any shape."""
        return np.asarray(self.raw_many(codes).astype(np.float64) * self.grid)

    def raw_many(self, codes: NDArray[np.int64]) -> NDArray[np.int32]:
        """Scores in steps of the grid, of patterns given as ranks in `PatternSpace("AMS", 16)`."""
        flat = np.ravel(codes)
        values = np.empty(flat.shape, dtype=np.int32)
        first, last = self._halves
        for start in range(0, len(flat), _CHUNK):
            part = flat[start : start + _CHUNK]
            hidden = first[part // HALF]
            hidden += last[part % (9 * HALF)]
            np.maximum(hidden, 0.0, out=hidden)
            values[start : start + _CHUNK] = hidden @ self._signs
        values += self.intercept
        return values.reshape(np.shape(codes))

    def blocks(
        self, first_codes: NDArray[np.int64], last_codes: NDArray[np.int64]
    ) -> Iterator[NDArray[np.float32]]:
        """For each first half in turn, the scores in steps of the grid of all its last halves."""
        first, last = self._halves
        hidden = np.empty((len(last_codes), len(self.signs)), dtype=np.float32)
        by_context = [last[context * HALF + last_codes] for context in range(9)]
        for code in first_codes.tolist():
            np.add(by_context[code % 9], first[code], out=hidden)
            np.maximum(hidden, 0.0, out=hidden)
            values: NDArray[np.float32] = hidden @ self._signs
            values += self.intercept
            yield values

    @cached_property
    def _halves(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Sums of the windows of the first 8 letters, and of the last 10, by code."""
        return _sum_windows(self.tables[:6]), _sum_windows(self.tables[6:])


def _sum_windows(tables: NDArray[np.int32]) -> NDArray[np.float32]:
    """Sums over consecutive windows for all their letters, `(3 ** (windows + 2), units)`."""
    units = tables.shape[2]
    values: NDArray[np.float32] = tables[0].astype(np.float32)
    for table in tables[1:].astype(np.float32):
        grown = values.reshape(-1, 9, 1, units) + table.reshape(9, 3, units)
        values = grown.reshape(-1, units)
    return values
