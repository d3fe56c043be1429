"""In-context recall and noisy in-context recall (MAD, arXiv 2403.17844, section 3).

A sequence of key-value pairs in which every key keeps its value: `a 1 b 2 c 3 a 1 b 2`. The model
must predict the value of each key that occurred before, which it can only look up. The noisy task
inserts pairs of meaningless tokens from a separate vocabulary.
"""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nasarena.proxies.data.task import IGNORE, Batch, TaskSplit
from nasarena.search.errors import InvalidSetting
from nasarena.search.settings import settings


@settings
class InContextRecall:
    """Settings and generator. Tokens: keys, then values, then noise; half of the rest are keys.

    `length` counts the tokens of a sequence; predicting the next one leaves `length - 1` inputs.
    `noise_fraction` is the probability that a pair is noise; `noise_vocab_size` tokens of
    `vocab_size` are noise only.
    """

    vocab_size: int
    length: int
    num_train_examples: Annotated[int, Field(ge=1)]
    noise_vocab_size: int = 0
    noise_fraction: float = 0.0

    def __post_init__(self) -> None:
        if self.length < 4 or self.length % 2:
            raise InvalidSetting(f"length must be even and at least 4, got {self.length}")
        if not 0 <= self.noise_fraction < 1:
            raise InvalidSetting(
                f"noise_fraction must be at least 0 and below 1, got {self.noise_fraction}"
            )
        if self.noise_fraction > 0 and self.noise_vocab_size < 1:
            raise InvalidSetting(
                f"noise_vocab_size must be at least 1 where noise_fraction is "
                f"{self.noise_fraction:g}, got {self.noise_vocab_size}"
            )
        if not 0 <= self.noise_vocab_size <= self.vocab_size - 2:
            raise InvalidSetting(
                f"vocab_size must leave at least one key and one value beside the noise, "
                f"got {self.vocab_size} with noise_vocab_size {self.noise_vocab_size}"
            )

    @property
    def num_inputs(self) -> int:
        """Length of the inputs."""
        return self.length - 1

    @property
    def num_keys(self) -> int:
        """Tokens below this one are keys."""
        return (self.vocab_size - self.noise_vocab_size) // 2

    def generate(
        self,
        num_examples: int,
        split: TaskSplit,
        rng: np.random.Generator,
        run_rng: np.random.Generator,
    ) -> Batch:
        """Training targets are all next tokens, as published; else the values asked for."""
        num_pairs = self.length // 2
        is_noise = self._noise(num_examples, num_pairs, rng)
        keys = rng.integers(self.num_keys, size=(num_examples, num_pairs))
        first_pair = self._first_pairs(keys[:, :-1], is_noise[:, :-1])
        # The last pair asks for one of the keys presented, each of them equally often.
        lottery = np.where(first_pair < num_pairs, rng.random(first_pair.shape), -1.0)
        keys[:, -1] = lottery.argmax(axis=1)
        tokens = self._pairs(keys, is_noise, rng)
        shown_before = np.take_along_axis(first_pair, keys, axis=1) < np.arange(num_pairs)
        is_answer = np.zeros(tokens.shape, dtype=bool)
        is_answer[:, 1::2] = shown_before & ~is_noise
        targets = tokens if split == "train" else np.where(is_answer, tokens, IGNORE)
        return Batch(tokens[:, :-1], targets[:, 1:])

    def _noise(
        self, num_examples: int, num_pairs: int, rng: np.random.Generator
    ) -> NDArray[np.bool_]:
        """Which pairs are noise: never the last one, and never all of the others."""
        is_noise = rng.random((num_examples, num_pairs)) < self.noise_fraction
        is_noise[np.arange(num_examples), rng.integers(num_pairs - 1, size=num_examples)] = False
        is_noise[:, -1] = False
        return is_noise

    def _first_pairs(
        self, keys: NDArray[np.int64], is_noise: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """By (example, key) the first pair with that key; beyond all pairs if there is none."""
        num_examples, num_pairs = keys.shape
        first = np.full((num_examples, self.num_keys), num_pairs + 1)
        example, pair = np.nonzero(~is_noise)
        np.minimum.at(first, (example, keys[example, pair]), pair)
        return first

    def _pairs(
        self, keys: NDArray[np.int64], is_noise: NDArray[np.bool_], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Tokens `(num_examples, length)`: every key with its value of that sequence, and noise."""
        first_noise = self.vocab_size - self.noise_vocab_size
        value_of = rng.integers(self.num_keys, first_noise, size=(len(keys), self.num_keys))
        pairs = np.stack([keys, np.take_along_axis(value_of, keys, axis=1)], axis=2)
        if self.noise_fraction > 0:
            noise = rng.integers(first_noise, self.vocab_size, size=pairs.shape)
            pairs = np.where(is_noise[:, :, None], noise, pairs)
        return pairs.reshape(len(keys), self.length)
