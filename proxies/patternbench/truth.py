"""The true scores of PatternBench: what regret, percentile and optimum are exact against.

Where a pattern was never trained its true score is the surrogate's mean. Where it was, it is that
mean moved towards the mean of its trainings, as far as they deserve it:

    true = surrogate + d^2 / (d^2 + spread^2 / n) * (mean of n trainings - surrogate)

with d the surrogate's own error. Raw means would make the luckiest of thousands of rows the optimum
of the benchmark; this is the posterior mean of a normal model. All true scores are multiples of
the network's grid, so single, batched and materialized scores agree to the last bit.
"""

import hashlib
import logging
import os
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasarena.proxies.patternbench.network import DEPTH, LETTERS
from nasarena.proxies.patternbench.rows import Row
from nasarena.proxies.patternbench.surrogate import Surrogate
from nasarena.search.machine import cache_folder
from nasarena.search.space import PatternSpace

WHOLE = PatternSpace(LETTERS, DEPTH)
_CHUNK = 1 << 20
_DIGEST_BYTES = 16
_STALE_S = 3600.0  # a draft is written in seconds
_LOG = logging.getLogger(__name__)


class Truth:
    """True scores of a space within the 43 million; `version` names the file of the cache."""

    def __init__(
        self,
        surrogate: Surrogate,
        rows: Mapping[str, Sequence[Row]],
        space: PatternSpace,
        version: str,
    ) -> None:
        self.surrogate, self.space, self.version = surrogate, space, version
        self._grid = surrogate.network.grid
        moved = {pattern: self._shift(pattern, found) for pattern, found in rows.items()}
        self._moves = {pattern: move for pattern, move in moved.items() if move}
        codes = np.array([WHOLE.index(pattern) for pattern in self._moves], dtype=np.int64)
        order = np.argsort(codes)
        self._codes = codes[order]
        self._code_moves = np.array(list(self._moves.values()), dtype=np.int64)[order]

    def score(self, pattern: str) -> float:
        """The true score of one pattern, which must be valid."""
        return (self.surrogate.network.raw(pattern) + self._moves.get(pattern, 0)) * self._grid

    def scores(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """True scores of patterns given as ranks in the space; any shape."""
        codes = self._whole_codes(np.asarray(indices, dtype=np.int64))
        raw = self.surrogate.network.raw_many(codes).astype(np.int64)
        if len(self._codes):
            places = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
            raw += np.where(self._codes[places] == codes, self._code_moves[places], 0)
        return np.asarray(raw * self._grid)

    @cached_property
    def all_scores(self) -> NDArray[np.float32]:
        """True scores of the whole space in the order of ranks.

        Worked out at the first use, 172 MB and some seconds for 3^16 patterns, then mapped into
        memory from the cache. Where the cache cannot hold them they stay in memory.
        """
        kept = self._read()
        if kept is None:
            scores = self.materialize()
            kept = self._read() if self._write(scores) else None
            return scores if kept is None else kept
        return kept

    @property
    def path(self) -> Path:
        """Where the materialized scores lie, or will lie: float32, then a hash of them."""
        return cache_folder() / "patternbench" / f"{self.version}-{self.space.alphabet}.f32"

    def materialize(self) -> NDArray[np.float32]:
        """Compute every score, in the order of ranks."""
        first, last = half_codes(self.space)
        scores = np.empty((len(first), len(last)), dtype=np.float32)
        for row, block in enumerate(self.surrogate.network.blocks(first, last)):
            np.multiply(block, np.float32(self._grid), out=scores[row])
        flat = scores.reshape(-1)
        for pattern in self._moves:
            if pattern in self.space:
                flat[self.space.index(pattern)] = self.score(pattern)
        return flat

    def _read(self) -> NDArray[np.float32] | None:
        """The scores in the cache; None where there are none, or what is there is not whole."""
        num_bytes = 4 * self.space.size
        try:
            with open(self.path, "rb") as file:
                # A file cut short would end the process by a signal as soon as it is touched.
                if os.fstat(file.fileno()).st_size != num_bytes + _DIGEST_BYTES:
                    return None
                file.seek(num_bytes)
                digest = file.read()
            scores = np.memmap(self.path, dtype=np.float32, mode="r", shape=(self.space.size,))
        except (OSError, ValueError):
            return None
        return scores if _digest(scores) == digest else None

    def _write(self, scores: NDArray[np.float32]) -> bool:
        """Keep the scores in the cache, whole or not at all; of two processes the last one wins."""
        draft = self.path.with_suffix(f".{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _remove_stale_drafts(self.path)
            try:
                with open(draft, "wb") as file:  # not a mapping: a full disk must be an error
                    file.write(scores.data)
                    file.write(_digest(scores))
                draft.replace(self.path)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            _LOG.warning(
                "the scores of PatternBench cannot be kept in %s (%s); going on without, they are "
                "worked out again the next time; make room or set NASARENA_CACHE",
                self.path.parent, error.strerror,
            )  # fmt: skip
            return False
        return True

    @cached_property
    def optimum(self) -> tuple[str, float]:
        """The best pattern of the space (of equals the first) and its true score."""
        pattern = self.space.pattern(int(np.argmax(self.all_scores)))
        return pattern, self.score(pattern)

    def percentile(self, pattern: str) -> float:
        """Percent of the space whose true score is not higher; the optimum has 100."""
        value = np.float32(self.score(pattern))
        return 100.0 * int(np.count_nonzero(self.all_scores <= value)) / self.space.size

    def ranks(self, patterns: Sequence[str]) -> list[int]:
        """1 + the number of patterns with a higher true score, for each of many: one pass."""
        if not patterns:
            return []
        values = np.array([self.score(pattern) for pattern in patterns], dtype=np.float32)
        levels = np.unique(values)
        counts = np.zeros(len(levels) + 1, dtype=np.int64)  # by how many levels lie below
        for start in range(0, self.space.size, _CHUNK):
            below = np.searchsorted(levels, self.all_scores[start : start + _CHUNK])
            counts += np.bincount(below, minlength=len(counts))
        higher = self.space.size - np.cumsum(counts)
        return [int(higher[place]) + 1 for place in np.searchsorted(levels, values)]

    def _shift(self, pattern: str, rows: Sequence[Row]) -> int:
        """How far trainings move the score of a pattern, in steps of the grid."""
        noise = self.surrogate.noise
        known = len(noise.offsets)
        centred = [
            row.score - (float(noise.offsets[row.seed]) if row.seed < known else 0.0)
            for row in rows
            if row.score is not None
        ]
        if not centred:
            return 0
        mean = self.surrogate.network.raw(pattern) * self._grid
        share = noise.shrinkage(pattern, mean, len(centred))
        return round(share * (sum(centred) / len(centred) - mean) / self._grid)

    def _whole_codes(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ranks in this space as ranks among all patterns of A, M and S."""
        if self.space == WHOLE:
            return indices
        first, last = half_codes(self.space)
        size = len(last)
        return first[indices // size] * 3**8 + last[indices % size]


def half_codes(space: PatternSpace) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Codes among all halves of A, M and S, of the first and of the last 8 letters, by rank."""
    digits = np.array([LETTERS.index(letter) for letter in space.alphabet], dtype=np.int64)
    codes = np.zeros(1, dtype=np.int64)
    for _ in range(DEPTH // 2):
        codes = (codes[:, None] * len(LETTERS) + digits).reshape(-1)
    return codes, codes


def _digest(scores: NDArray[np.float32]) -> bytes:
    return hashlib.blake2b(scores.data, digest_size=_DIGEST_BYTES).digest()


def _remove_stale_drafts(path: Path) -> None:
    """Drafts that a killed process left: 172 MB each, and nobody else would remove them."""
    for draft in path.parent.glob(f"{path.stem}.*"):
        if draft != path and time.time() - draft.stat().st_mtime > _STALE_S:
            draft.unlink(missing_ok=True)
