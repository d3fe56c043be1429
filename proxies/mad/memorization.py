"""Memorization (MAD, arXiv 2403.17844, section 3): facts stored in the weights.

Each key has one value for the whole run, and no value is ever shown: the target of `a ? b ?` is
`1 2`. Train, search and held-out examples use the same pairs, by design: a sequence does not
contain them.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from nasarena.proxies.data.task import IGNORE, Batch, TaskSplit
from nasarena.search.errors import InvalidSetting
from nasarena.search.settings import settings


@settings
class Memorization:
    """Settings and generator. Tokens: keys, then values, the last one is the sign that asks."""

    vocab_size: int
    length: int
    num_train_examples: Annotated[int, Field(ge=1)]

    def __post_init__(self) -> None:
        if self.vocab_size < 3:
            raise InvalidSetting(
                f"vocab_size must be at least 3 (a key, a value, the sign that asks), "
                f"got {self.vocab_size}"
            )
        if self.length < 2 or self.length % 2:
            raise InvalidSetting(f"length must be even and at least 2, got {self.length}")

    @property
    def num_inputs(self) -> int:
        """Length of the inputs."""
        return self.length

    @property
    def num_keys(self) -> int:
        """Tokens below this one are keys."""
        return (self.vocab_size - 1) // 2

    def generate(
        self,
        num_examples: int,
        split: TaskSplit,
        rng: np.random.Generator,
        run_rng: np.random.Generator,
    ) -> Batch:
        """The facts come from `run_rng`, the same for all splits; the questions from `rng`."""
        num_values = self.vocab_size - 1 - self.num_keys
        value_of = run_rng.permutation(num_values)[: self.num_keys] + self.num_keys
        keys = rng.integers(self.num_keys, size=(num_examples, self.length // 2))
        inputs = np.full((num_examples, self.length), self.vocab_size - 1)
        inputs[:, ::2] = keys
        targets = np.full_like(inputs, IGNORE)
        targets[:, 1::2] = value_of[keys]
        return Batch(inputs, targets)
