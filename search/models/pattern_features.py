"""What a linear model reads of a pattern: counts of letters and n-grams, and where letters stand.

Every block is a sum over windows of neighbouring layers, so the best pattern under any weights is
found exactly (window_optimum.py). A block is centred and scaled to a total variance of 1 over
uniform patterns: then one prior variance a block means the same whatever the alphabet and depth.
"""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from nasarena.search.models.window_optimum import Floats, window_optimum
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

Block = Literal["counts", "bigrams", "trigrams", "smooth", "positions"]
BLOCKS: tuple[Block, ...] = get_args(Block)
_NUM_COSINES = 4  # from the first layer to the last: a slope, a bow, and two finer waves
_NUM_UNIFORM = 1_024


class Features:
    """The features of patterns of a space.

    Shapes: N patterns, T layers, L letters, F features; `sizes` are the features of each block.

    | block | features |
    |---|---|
    | counts | share of each letter, L |
    | bigrams, trigrams | share of each pair or triple of neighbours, L^2 or L^3 |
    | smooth | each letter's layers weighted by cosines over the depth, 4 L |
    | positions | each letter at each layer, T L |
    """

    def __init__(self, space: PatternSpace, blocks: Sequence[Block] = BLOCKS) -> None:
        self.space, self.blocks = space, tuple(blocks)
        order = (np.arange(space.depth) + 0.5) / space.depth
        self._waves_KT = np.cos(np.pi * np.outer(np.arange(1, _NUM_COSINES + 1), order))
        rng = stream(0, "uniform patterns of features")
        raw = self._raw([space.sample(rng) for _ in range(_NUM_UNIFORM)])
        self.sizes = [part_NF.shape[1] for part_NF in raw]
        self._means = [part_NF.mean(axis=0) for part_NF in raw]
        self._scales = [float(np.sqrt(part_NF.var(axis=0).sum())) or 1.0 for part_NF in raw]

    def __call__(self, patterns: Sequence[str]) -> Floats:
        """Shape `(N, F)`."""
        raw = zip(self._raw(patterns), self._means, self._scales, strict=True)
        return np.concatenate([(part - mean) / scale for part, mean, scale in raw], axis=1)

    def optimum(self, weights_F: Floats) -> str:
        """The pattern of highest `features @ weights`, of all in the space."""
        depth, num_letters = self.space.depth, len(self.space.alphabet)
        singles_TL = np.zeros((depth, num_letters))
        pairs_LL = np.zeros((num_letters,) * 2)
        triples_LLL = np.zeros((num_letters,) * 3)
        parts = np.split(weights_F, np.cumsum(self.sizes)[:-1])
        for block, part_F, scale in zip(self.blocks, parts, self._scales, strict=True):
            own_F = part_F / scale
            if block == "counts":
                singles_TL += own_F / depth
            elif block == "bigrams":
                pairs_LL += own_F.reshape(pairs_LL.shape) / max(1, depth - 1)
            elif block == "trigrams":
                triples_LLL += own_F.reshape(triples_LLL.shape) / max(1, depth - 2)
            elif block == "smooth":
                singles_TL += self._waves_KT.T @ own_F.reshape(_NUM_COSINES, -1) / depth
            else:
                singles_TL += own_F.reshape(depth, num_letters)
        digits, _ = window_optimum(singles_TL, pairs_LL, triples_LLL)
        return self.space.from_digits(digits)

    def _raw(self, patterns: Sequence[str]) -> list[Floats]:
        digits_NT = np.stack([self.space.digits(pattern) for pattern in patterns])
        size = len(self.space.alphabet)
        made: dict[Block, Callable[[], Floats]] = {
            "counts": lambda: _shares(digits_NT, size),
            "bigrams": lambda: _shares(size * digits_NT[:, :-1] + digits_NT[:, 1:], size**2),
            "trigrams": lambda: _shares(
                size * (size * digits_NT[:, :-2] + digits_NT[:, 1:-1]) + digits_NT[:, 2:], size**3
            ),
            "smooth": lambda: self._smooth(digits_NT, size),
            "positions": lambda: np.eye(size)[digits_NT].reshape(len(digits_NT), -1),
        }
        return [made[block]() for block in self.blocks]

    def _smooth(self, digits_NT: NDArray[np.int64], size: int) -> Floats:
        """The layers of each letter weighted by each wave, shape `(N, K L)`."""
        hot_NTL = np.eye(size)[digits_NT]
        weighted_NKL = np.einsum("kt,ntl->nkl", self._waves_KT, hot_NTL) / self.space.depth
        flat: Floats = weighted_NKL.reshape(len(digits_NT), -1)
        return flat


def _shares(codes_NW: NDArray[np.int64], size: int) -> Floats:
    """How large a share of a pattern's windows has each of `size` codes, shape `(N, size)`."""
    places = codes_NW + size * np.arange(len(codes_NW))[:, None]
    counts = np.bincount(places.ravel(), minlength=size * len(codes_NW))
    shares: Floats = counts.reshape(len(codes_NW), size) / max(1, codes_NW.shape[1])
    return shares
