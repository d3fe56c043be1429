"""Fuzzy in-context recall (MAD, arXiv 2403.17844, section 3): keys and values of several tokens.

A key is a motif of up to `key_motif_size` different tokens, a value one of up to
`value_motif_size`: `ab 1 c 23 ab 1`. The model must learn where keys begin and end. As published,
keys have any size in training and the largest one in testing.
"""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nasarena.proxies.data.task import IGNORE, Batch, TaskSplit
from nasarena.search.errors import InvalidSetting
from nasarena.search.settings import settings

Integers = NDArray[np.int64]


@settings
class FuzzyRecall:
    """Settings and generator. Tokens: keys, then values, the last one pads on the left."""

    vocab_size: int
    length: int
    num_train_examples: Annotated[int, Field(ge=1)]
    key_motif_size: int
    value_motif_size: int

    def __post_init__(self) -> None:
        for name in ("key_motif_size", "value_motif_size"):
            if getattr(self, name) < 1:
                raise InvalidSetting(f"{name} must be at least 1, got {getattr(self, name)}")
        largest = max(self.key_motif_size, self.value_motif_size)
        if self.num_keys < largest:
            raise InvalidSetting(
                f"vocab_size must be at least {2 * largest + 1} for motifs of {largest} "
                f"different tokens, got {self.vocab_size}"
            )
        if (self.num_keys + 1) ** self.key_motif_size > 2**48:
            raise InvalidSetting(
                f"key_motif_size is too large for vocab_size {self.vocab_size}, "
                f"got {self.key_motif_size}: there are more than 2^48 keys"
            )
        if self.length + 1 < 2 * self._longest_pair:
            raise InvalidSetting(
                f"length must be at least {2 * self._longest_pair - 1} for motifs of "
                f"{self.key_motif_size} and {self.value_motif_size} tokens, got {self.length}"
            )

    @property
    def num_inputs(self) -> int:
        """Length of the inputs."""
        return self.length

    @property
    def num_keys(self) -> int:
        """Tokens below this one are those of keys."""
        return (self.vocab_size - 1) // 2

    @property
    def _longest_pair(self) -> int:
        return self.key_motif_size + self.value_motif_size

    def generate(
        self,
        num_examples: int,
        split: TaskSplit,
        rng: np.random.Generator,
        run_rng: np.random.Generator,
    ) -> Batch:
        """Training targets are all next tokens, as published; else the values asked for."""
        shape = (num_examples, (self.length + 1) // 2)  # as many pairs as could ever fit
        smallest = 1 if split == "train" else self.key_motif_size
        key_sizes = rng.integers(smallest, self.key_motif_size + 1, size=shape)
        value_sizes = rng.integers(1, self.value_motif_size + 1, size=shape)
        keys = different_tokens(self.num_keys, self.key_motif_size, shape, rng)
        num_values = self.vocab_size - 1 - self.num_keys
        values = different_tokens(num_values, self.value_motif_size, shape, rng) + self.num_keys
        # A key that comes again has the value of its first time.
        first = self._first_pairs(keys, key_sizes)
        value_sizes = np.take_along_axis(value_sizes, first, axis=1)
        values = np.take_along_axis(values, first[:, :, None], axis=1)
        ends = np.cumsum(key_sizes + value_sizes, axis=1)
        # Room is left for the longest pair: the last one asks for a key that was presented.
        num_shown = (ends <= self.length + 1 - self._longest_pair).sum(axis=1)
        asked = (rng.random(num_examples) * num_shown).astype(np.int64)
        for array in (keys, key_sizes, values, value_sizes, first):
            array[np.arange(num_examples), num_shown] = array[np.arange(num_examples), asked]
        tokens, is_answer = self._write(keys, key_sizes, values, value_sizes, first, num_shown)
        targets = tokens if split == "train" else np.where(is_answer, tokens, IGNORE)
        return Batch(tokens[:, :-1], targets[:, 1:])

    def _first_pairs(self, keys: Integers, key_sizes: Integers) -> Integers:
        """For each pair of each example the first pair of that example with the same key."""
        num_examples, num_pairs = key_sizes.shape
        codes = np.arange(num_examples)[:, None] + np.zeros_like(key_sizes)
        for slot in range(self.key_motif_size):
            token = np.where(slot < key_sizes, keys[:, :, slot] + 1, 0)
            codes = codes * (self.num_keys + 1) + token
        _, index, inverse = np.unique(codes, return_index=True, return_inverse=True)
        first: Integers = index[inverse].reshape(codes.shape) % num_pairs
        return first

    def _write(
        self,
        keys: Integers,
        key_sizes: Integers,
        values: Integers,
        value_sizes: Integers,
        first: Integers,
        last: Integers,
    ) -> tuple[Integers, NDArray[np.bool_]]:
        """Pairs 0 to `last` of each example as tokens, flush right; and which ones are answers."""
        num_examples, num_pairs = key_sizes.shape
        pair = np.arange(num_pairs)
        is_shown = pair <= last[:, None]
        ends = np.cumsum(np.where(is_shown, key_sizes + value_sizes, 0), axis=1)
        # Ends of pairs from the left edge, once the padding has pushed the last to the right edge.
        ends += self.length + 1 - ends[:, -1:]
        value_starts = ends - value_sizes
        tokens = np.full((num_examples, self.length + 1), self.vocab_size - 1)
        is_answer = np.zeros(tokens.shape, dtype=bool)
        for slot in range(self.key_motif_size):
            row, column = np.nonzero(is_shown & (slot < key_sizes))
            at = value_starts[row, column] - key_sizes[row, column] + slot
            tokens[row, at] = keys[row, column, slot]
        for slot in range(self.value_motif_size):
            row, column = np.nonzero(is_shown & (slot < value_sizes))
            at = value_starts[row, column] + slot
            tokens[row, at] = values[row, column, slot]
            is_answer[row, at] = first[row, column] < column
        return tokens, is_answer


def different_tokens(
    num_tokens: int, size: int, shape: tuple[int, int], rng: np.random.Generator
) -> Integers:
    """Motifs of `size` different tokens below `num_tokens`, in any order: `(*shape, size)`."""
    motifs = np.empty((*shape, size), dtype=np.int64)
    for slot in range(size):
        token = rng.integers(num_tokens - slot, size=shape)
        # A draw among the tokens left over: step over the taken ones, the smallest first.
        for taken in np.moveaxis(np.sort(motifs[..., :slot], axis=-1), -1, 0):
            token += token >= taken
        motifs[..., slot] = token
    return motifs
