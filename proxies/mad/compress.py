"""Compression (MAD, arXiv 2403.17844, section 3): a whole sequence in one state.

Random tokens and, last, a compression token; the model's state at that token alone must reproduce
every token. The head is an auto-encoder: inputs and targets are the same sequence.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from nasarena.proxies.data.task import Batch, TaskSplit
from nasarena.search.errors import InvalidSetting
from nasarena.search.settings import settings


@settings
class Compression:
    """Settings and generator. The last token of the vocabulary is the compression sign."""

    vocab_size: int
    length: int
    num_train_examples: Annotated[int, Field(ge=1)]

    def __post_init__(self) -> None:
        if self.vocab_size < 2 or self.length < 2:
            raise InvalidSetting(
                f"vocab_size and length must be at least 2 (a token and the compression sign), "
                f"got {self.vocab_size} and {self.length}"
            )

    @property
    def num_inputs(self) -> int:
        """Length of the inputs."""
        return self.length

    def generate(
        self,
        num_examples: int,
        split: TaskSplit,
        rng: np.random.Generator,
        run_rng: np.random.Generator,
    ) -> Batch:
        """Targets are the inputs, the sign included, as published."""
        tokens = rng.integers(self.vocab_size - 1, size=(num_examples, self.length))
        tokens[:, -1] = self.vocab_size - 1
        return Batch(tokens, tokens.copy())
