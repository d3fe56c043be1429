"""What surrogates see of a pattern: letters and n-grams, by position and counted.

Everything but `tree_features` is a sum over windows of three letters, so a network with one hidden
layer on `window_features` can be served exactly as `proxies/patternbench/network.py` says.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nasarena.proxies.patternbench.network import DEPTH, LETTERS, NUM_WINDOWS, WIDTH

_BASE = len(LETTERS)
_QUARTER = DEPTH // 4

Digits = NDArray[np.int64]
Floats = NDArray[np.float64]


def digits_of(patterns: Sequence[str]) -> Digits:
    """`(patterns, 16)`, each a digit of A, M, S."""
    joined = np.frombuffer("".join(patterns).encode(), dtype=np.uint8)
    table = np.zeros(256, dtype=np.int64)
    for digit, letter in enumerate(LETTERS):
        table[ord(letter)] = digit
    return np.asarray(table[joined].reshape(len(patterns), DEPTH))


def windows(digits: Digits, width: int) -> Digits:
    """Windows of adjacent letters as numbers, `(patterns, 17 - width)`."""
    last = DEPTH - width + 1
    parts = [digits[:, i : last + i] * _BASE ** (width - 1 - i) for i in range(width)]
    return np.asarray(sum(parts))


def letter_features(digits: Digits) -> Floats:
    """One-hot letters by position, `(patterns, 48)`."""
    return _one_hot(digits, 1)


def pair_features(digits: Digits) -> Floats:
    """One-hot letters and pairs of neighbours, by position, `(patterns, 183)`."""
    return np.hstack([_one_hot(digits, 1), _one_hot(digits, 2)])


def triple_features(digits: Digits) -> Floats:
    """`pair_features`, and triples by position, `(patterns, 561)`."""
    return np.hstack([pair_features(digits), _one_hot(digits, 3)])


def window_features(digits: Digits) -> Floats:
    """`pair_features`, then how often each letter, pair and triple occurs, `(patterns, 222)`."""
    return np.hstack([pair_features(digits), _counts(digits)])


def tree_features(digits: Digits) -> Floats:
    """For trees: letters, n-gram counts, letters by quarter, first and last place of a letter."""
    columns = [digits.astype(np.float64), _counts(digits)]
    for letter in range(_BASE):
        is_letter = digits == letter
        by_quarter = is_letter.reshape(len(digits), -1, _QUARTER).sum(axis=2)
        first = np.where(is_letter.any(axis=1), is_letter.argmax(axis=1), DEPTH)
        last = np.where(is_letter.any(axis=1), is_letter[:, ::-1].argmax(axis=1), DEPTH)
        columns.append(np.column_stack([by_quarter, first, last]))
    return np.hstack(columns)


def as_windows(weights: Floats) -> Floats:
    """Weights `(222, units)` of `window_features` as tables of windows, `(14, 27, units)`.

    A letter goes to the window that it begins, a pair likewise; what begins too late for that goes
    to the last window.
    """
    ends = np.cumsum([DEPTH * 3, (DEPTH - 1) * 9, 3, 9])
    letters, pairs, *counted = np.split(weights, ends)
    by_width = [
        letters.reshape(DEPTH, 3, -1) + counted[0],
        pairs.reshape(DEPTH - 1, 9, -1) + counted[1],
        np.broadcast_to(counted[2], (NUM_WINDOWS, 27, weights.shape[1])),
    ]
    tables = np.zeros((NUM_WINDOWS, 27, weights.shape[1]))
    window = np.arange(27)
    for width, table in enumerate(by_width, start=1):
        for place, entries in enumerate(table):
            home = min(place, NUM_WINDOWS - 1)
            inside = WIDTH - width - (place - home)  # letters of the window after the n-gram
            tables[home] += entries[window // _BASE**inside % _BASE**width]
    return tables


def _one_hot(digits: Digits, width: int) -> Floats:
    found = windows(digits, width)
    return np.asarray(np.eye(_BASE**width)[found].reshape(len(digits), -1))


def _counts(digits: Digits) -> Floats:
    counted = []
    for width in (1, 2, 3):
        found = windows(digits, width)
        for number in range(_BASE**width):
            counted.append((found == number).sum(axis=1))
    return np.stack(counted, axis=1).astype(np.float64)
