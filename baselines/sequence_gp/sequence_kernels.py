"""The kernels of patterns that the Gaussian process sums, each 1 for equal patterns.

| kernel | of two patterns |
|---|---|
| constant | 1 |
| letters, pairs, quads | share of layers with equal letters, to the powers 1, 2 and 4 |
| near, nearest | exp(-distance / scale), layers that differ, scale depth / 4 and depth / 12 |
| bigrams, trigrams, fourgrams | share of equal n-grams at the same place |
| two apart, three apart | share of places where two letters so far apart are both equal |
| letter counts, bigram counts, gapped counts, halves, centres | exp(-squared distance / scale) |
| spaced pairs | cosine of how often each two letters are 0 to 12 layers apart |

N-grams go around the end, so that the first and the last layers take part in as many. The last but
one compare features: how often each letter, pair of neighbours and pair of layers 2 to 4
apart occurs, how often each letter in each half, and where the layers of a letter are on average.
Their scale is a multiple of the mean squared distance of uniform patterns. Letters at places are
additive landscapes; n-grams, their interactions; powers and exponentials, interactions of layers
anywhere (diffusion kernels: Kondor and Lafferty 2002); counts, what does not depend on places;
spaced pairs, letters that belong together at any distance, wherever they stand.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasarena.baselines.sequence_gp.equal_windows import Digits, EqualWindows, Window, Words
from nasarena.search.seeding import stream

Floats = NDArray[np.float64]
_WINDOWS: dict[str, Window] = {
    "bigrams": (0, 1),
    "trigrams": (0, 1, 2),
    "fourgrams": (0, 1, 2, 3),
    "two apart": (0, 2),
    "three apart": (0, 3),
}
_GAPS = (2, 3, 4)  # layers
_LONGEST_GAP = 12  # of spaced pairs, layers; at most three quarters of a pattern
_NUM_UNIFORM = 512
_SCALE = 2.0  # of the count kernels, in mean squared distances of uniform patterns
_TINY = 1e-9  # a standard deviation or length that is none
_NEGLIGIBLE = 1e-5  # a weight of a count kernel that is not worth its matrix product


@dataclass(frozen=True, slots=True)
class Encoded:
    """N patterns as kernels read them."""

    words: Words  # (words, planes, N)
    blocks: tuple[Floats, ...]  # of features, (N, F) each
    pairs: Floats  # of length 1, (N, F)


def join(first: Encoded, second: Encoded) -> Encoded:
    """Both, one after the other."""
    pairs = zip(first.blocks, second.blocks, strict=True)
    return Encoded(
        np.concatenate([first.words, second.words], axis=2),
        tuple(np.concatenate(pair) for pair in pairs),
        np.concatenate([first.pairs, second.pairs]),
    )


class SequenceKernels:
    """The kernels of a space of `depth` layers over `num_letters` letters."""

    def __init__(self, depth: int, num_letters: int) -> None:
        self.depth, self.num_letters = depth, num_letters
        # Functions of the number of places where a window is equal, tabulated for 0..depth.
        equal = np.arange(depth + 1.0)
        share, distance = equal / depth, depth - equal
        self._tables = {
            "constant": ((0,), np.ones(depth + 1)),
            "letters": ((0,), share),
            "pairs": ((0,), share**2),
            "quads": ((0,), share**4),
            "near": ((0,), np.exp(-distance / (depth / 4))),
            "nearest": ((0,), np.exp(-distance / (depth / 12))),
        } | {name: (window, share) for name, window in _WINDOWS.items() if depth > window[-1]}
        self._windows = EqualWindows(
            depth, num_letters, list(dict.fromkeys(window for window, _ in self._tables.values()))
        )
        self._blocks = ["letter counts", "halves", "centres"]
        if depth >= 2:
            self._blocks.append("bigram counts")
        if depth > max(_GAPS):
            self._blocks.append("gapped counts")
        self._scales = [1.0] * len(self._blocks)
        rng = stream(0, "uniform patterns of sequence kernels")
        uniform = rng.integers(num_letters, size=(_NUM_UNIFORM, depth))
        for place, block_NF in enumerate(self._raw(uniform)):
            spread = _SCALE * 2 * float(block_NF.var(axis=0).sum())
            self._scales[place] = float(np.sqrt(spread)) or 1.0
        self._gaps = range(1 + min(_LONGEST_GAP, 3 * depth // 4))
        counts_NF = self._gapped(uniform, self._gaps)
        self._usual_F, self._spread_F = counts_NF.mean(axis=0), counts_NF.std(axis=0)

    @property
    def names(self) -> list[str]:
        """Of the kernels, in the order of weights."""
        return [*self._tables, *self._blocks, "spaced pairs"]

    def encode(self, digits_NT: Digits) -> Encoded:
        """Letters as digits, shape `(N, depth)`."""
        pairs_NF = (self._gapped(digits_NT, self._gaps) - self._usual_F) / (self._spread_F + _TINY)
        lengths_N1 = np.linalg.norm(pairs_NF, axis=1, keepdims=True) + _TINY
        return Encoded(self._windows.encode(digits_NT), self._raw(digits_NT), pairs_NF / lengths_N1)

    def grams(self, first: Encoded, second: Encoded) -> Floats:
        """Every kernel, shape `(kernels, M, N)`."""
        counts = self._counts(first, second)
        tabulated = [table[counts[window]] for window, table in self._tables.values()]
        of_blocks = map(_similarity, first.blocks, second.blocks)
        return np.stack([*tabulated, *of_blocks, first.pairs @ second.pairs.T])

    def mixed(self, weights_K: Floats, first: Encoded, second: Encoded) -> Floats:
        """The sum of all kernels times their weights, shape `(M, N)`."""
        total: Floats = weights_K[-1] * (first.pairs @ second.pairs.T)
        for window, count in self._counts(first, second).items():
            tables = zip(weights_K, self._tables.values(), strict=False)
            total += sum(weight * table for weight, (own, table) in tables if own == window)[count]
        of_blocks = zip(weights_K[len(self._tables) : -1], first.blocks, second.blocks, strict=True)
        for weight, one, other in of_blocks:
            if weight > _NEGLIGIBLE:
                total += weight * _similarity(one, other)
        return total

    def _counts(self, first: Encoded, second: Encoded) -> dict[Window, NDArray[np.intp]]:
        counts = self._windows.counts(first.words, second.words)
        return dict(zip(self._windows.windows, counts, strict=True))

    def _raw(self, digits_NT: Digits) -> tuple[Floats, ...]:
        """Blocks of features over their scales."""
        num, depth, letters = len(digits_NT), self.depth, self.num_letters
        hot_NTL = np.eye(letters)[digits_NT]
        half = (depth + 1) // 2
        counts_NL = hot_NTL.mean(axis=1)
        places_T = (np.arange(depth) + 0.5) / depth - 0.5
        blocks = {
            "letter counts": counts_NL,
            "halves": np.concatenate(
                [hot_NTL[:, :half].sum(axis=1), hot_NTL[:, half:].sum(axis=1)], axis=1
            ),
            # The moment, not the mean place: a letter that is not there has none.
            "centres": np.einsum("ntl,t->nl", hot_NTL, places_T),
        }
        if "bigram counts" in self._blocks:
            blocks["bigram counts"] = self._gapped(digits_NT, (1,))
        if "gapped counts" in self._blocks:
            blocks["gapped counts"] = self._gapped(digits_NT, _GAPS)
        assert list(blocks) == self._blocks and all(len(block) == num for block in blocks.values())
        scaled = zip(blocks.values(), self._scales, strict=True)
        return tuple(block / scale for block, scale in scaled)

    def _gapped(self, digits_NT: Digits, gaps: Sequence[int]) -> Floats:
        """How often each two letters are `gap` layers apart, shape `(N, gaps * letters ** 2)`."""
        num, size = len(digits_NT), self.num_letters**2
        found = []
        for gap in gaps:
            codes = digits_NT[:, : self.depth - gap] * self.num_letters + digits_NT[:, gap:]
            places = (codes + size * np.arange(num)[:, None]).ravel()
            found.append(np.bincount(places, minlength=size * num).reshape(num, size))
        return np.concatenate(found, axis=1).astype(np.float64)


def _similarity(first_MF: Floats, second_NF: Floats) -> Floats:
    """exp(-squared distance), shape `(M, N)`."""
    squares = (first_MF**2).sum(axis=1)[:, None] + (second_NF**2).sum(axis=1)
    apart: Floats = np.maximum(squares - 2 * first_MF @ second_NF.T, 0.0)
    return np.exp(-apart)
