"""A function of patterns that is a sum over windows of adjacent letters, known exactly everywhere.

    raw(pattern) = sum over i of tables[i, window at position i]

A window of width w has `num_letters ** w` states, read as digits, the first letter the most
significant. With `depth - w + 1` tables the windows stop at the last letter; with `depth` tables
they go around (cyclic). Tables hold integers, so sums are exact in any order and equal raw values
are really equal: ranks and percentiles have no rounding. Optimum and moments come from dynamic
programming over the last w - 1 letters (and, if cyclic, each choice of the first w - 1 letters),
the full distribution from one vectorised pass over the whole space.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasarena.search.errors import InvalidSetting

MAX_STATES = 1 << 20  # of the dynamic programming: (first letters, last letters)
MAX_ENUMERATED = 1 << 28  # patterns of a full pass: 1 GiB of int32


class WindowSum:
    """`tables` has shape `(num_windows, num_letters ** width)`; see the module's docstring.

    Raises InvalidSetting for windows wider than the pattern or than what can be solved exactly.
    """

    def __init__(self, tables: NDArray[np.int64], num_letters: int, depth: int) -> None:
        width = round(np.log(tables.shape[1]) / np.log(num_letters)) if num_letters > 1 else 2
        self.num_letters, self.depth, self.width = num_letters, depth, width
        self.is_cyclic = tables.shape[0] == depth
        assert tables.shape[1] == num_letters**width, tables.shape
        assert self.is_cyclic or tables.shape[0] == depth - width + 1, tables.shape
        self.tables = tables
        self._rows: list[list[int]] = tables.tolist()  # python integers: one pattern is quick
        self._context = num_letters ** (width - 1)  # states of all letters of a window but one
        self._num_open = depth - width + 1  # windows that do not go around
        self._modulus = self._context * num_letters

    @staticmethod
    def check(num_letters: int, depth: int, width: int, cyclic: bool) -> None:
        """Raises InvalidSetting for a window that does not fit or cannot be solved exactly."""
        if not 2 <= width <= depth:
            raise InvalidSetting(
                f"windows of {width} letters do not fit a pattern of {depth}; "
                f"take fewer neighbours or a deeper space"
            )
        states = num_letters ** ((width - 1) * (2 if cyclic else 1))
        if states * num_letters > MAX_STATES:
            raise InvalidSetting(
                f"windows of {width} letters from {num_letters} need {states * num_letters} "
                f"states for the exact optimum, at most {MAX_STATES} are allowed; "
                f"take fewer neighbours"
            )

    def raw(self, digits: Iterable[int]) -> int:
        """The value of one pattern, given its letters as digits."""
        letters = list(digits)
        if self.is_cyclic:
            letters += letters[: self.width - 1]
        state, skipped = 0, self.width - 1
        for digit in letters[:skipped]:
            state = state * self.num_letters + digit
        total = 0
        for row, digit in zip(self._rows, letters[skipped:], strict=True):
            state = (state * self.num_letters + digit) % self._modulus
            total += row[state]
        return total

    def raw_many(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Values of many patterns, given as ranks in the space; any shape."""
        indices = np.asarray(indices, dtype=np.int64)
        total = np.zeros(indices.shape, dtype=np.int64)
        for i, table in enumerate(self.tables):
            if i < self._num_open:
                state = indices // self.num_letters ** (self._num_open - 1 - i) % self._modulus
            else:
                last, first = self._cut(i)
                tail = indices % self.num_letters**last
                head = indices // self.num_letters ** (self.depth - first)
                state = tail * self.num_letters**first + head
            total += table[state]
        return total

    def raw_all(self) -> NDArray[np.int32]:
        """Values of the whole space in the order of ranks, shape `(num_letters ** depth,)`.

        Raises InvalidSetting for a space that is too large to be enumerated.
        """
        size = self.num_letters**self.depth
        if size > MAX_ENUMERATED:
            raise InvalidSetting(
                f"a space of {size} patterns is too large to be enumerated, "
                f"at most {MAX_ENUMERATED} patterns; take a smaller depth"
            )
        values = np.zeros((1, self._context, 1), dtype=np.int32)
        for table in self.tables[: self._num_open].astype(np.int32):
            # prefix values by (earlier letters, last width - 1 letters), one letter more each time
            values = values.reshape(-1, self._context, 1) + table.reshape(self._context, -1)
        values = values.reshape(-1)
        for i in range(self._num_open, len(self.tables)):
            last, first = self._cut(i)
            table = self.tables[i].astype(np.int32).reshape(self.num_letters**last, -1)
            around = values.reshape(self.num_letters**first, -1, self.num_letters**last)
            around += table.T[:, None, :]
        return values

    def _cut(self, i: int) -> tuple[int, int]:
        """How many last and how many first letters make up the cyclic window `i`."""
        return self.depth - i, self.width - (self.depth - i)

    def _around(self, i: int) -> NDArray[np.int64]:
        """Values of cyclic window `i` by (first width - 1 letters, last width - 1 letters)."""
        last, first = self._cut(i)
        context = np.arange(self._context)
        head = context // self.num_letters ** (self.width - 1 - first)
        tail = context % self.num_letters**last
        around: NDArray[np.int64] = self.tables[i][
            tail[None, :] * self.num_letters**first + head[:, None]
        ]
        return around

    def _start(self) -> NDArray[np.bool_]:
        """Which (first, last) letters are the same ones, after width - 1 letters.

        Without cyclic windows nobody asks for the first letters: one row stands for all.
        """
        if self.is_cyclic:
            return np.eye(self._context, dtype=bool)
        return np.ones((1, self._context), dtype=bool)

    @cached_property
    def optimum(self) -> tuple[tuple[int, ...], int]:
        """Digits and value of the best pattern, exact; of several best ones always the same."""
        best = np.where(self._start(), 0, np.iinfo(np.int64).min // 2)
        oldest: list[NDArray[np.int64]] = []
        for table in self.tables[: self._num_open]:
            extended = self._by_oldest(best[:, :, None] + self._by_context(table))
            oldest.append(extended.argmax(axis=1))
            best = extended.max(axis=1)
        for i in range(self._num_open, len(self.tables)):
            best = best + self._around(i)
        first, last = divmod(int(best.argmax()), self._context)
        return self._trace(oldest, first, last), int(best.max())

    @cached_property
    def lowest(self) -> int:
        """The lowest value of all, exact."""
        return -WindowSum(-self.tables, self.num_letters, self.depth).optimum[1]

    @cached_property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation over the whole space."""
        # Tables are centred: else the second moment loses digits to the square of the mean.
        centre = self.tables.mean(axis=1)
        # Sums of v^0, v^1 and v^2 over all prefixes, by (first letters, last letters).
        ones = self._start().astype(np.float64)
        sums = (ones, np.zeros_like(ones), np.zeros_like(ones))
        for i in range(self._num_open):
            value = self._by_context(self.tables[i] - centre[i])
            extended = _shift_sums([part[:, :, None] for part in sums], value)
            zero, one, two = (self._by_oldest(part).sum(axis=1) for part in extended)
            sums = (zero, one, two)
        for i in range(self._num_open, len(self.tables)):
            sums = _shift_sums(sums, self._around(i) - centre[i])
        size, total, squares = (float(part.sum()) for part in sums)
        mean = total / size
        return mean + float(centre.sum()), max(squares / size - mean**2, 0.0) ** 0.5

    def _by_context(self, table: NDArray[Any]) -> NDArray[Any]:
        """A table by (any first letters, all letters of the window but one, that one)."""
        return table.reshape(1, self._context, self.num_letters)

    def _by_oldest(self, extended: NDArray[Any]) -> NDArray[Any]:
        """(first letters, last letters, new letter) as (first, oldest letter, new last letters)."""
        return extended.reshape(len(extended), self.num_letters, self._context)

    def _trace(self, oldest: list[NDArray[np.int64]], first: int, last: int) -> tuple[int, ...]:
        """Digits of the pattern that ends in state `last`, from the letters that were dropped."""
        letters = [last // self.num_letters**k % self.num_letters for k in range(self.width - 1)]
        state = last
        for choice in reversed(oldest):
            digit = int(choice[first, state])
            letters.append(digit)
            state = digit * (self._context // self.num_letters) + state // self.num_letters
        return tuple(reversed(letters))


def _shift_sums(
    sums: Sequence[NDArray[np.float64]], value: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Sums of (v + value)^0, ^1 and ^2 from those of v^0, v^1 and v^2."""
    zero, one, two = sums
    return (
        zero + 0 * value,  # broadcast to the shape of the others
        one + value * zero,
        two + 2 * value * one + value**2 * zero,
    )
