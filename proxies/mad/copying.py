"""Selective copying (MAD, arXiv 2403.17844, section 3): repeat the tokens without the gaps.

Tokens to copy are spread among blanks; after the copy token the model must output them in order,
one at each of the following blanks: the target of `. a . . b c > . . .` is `a b c`.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from nasarena.proxies.data.task import IGNORE, Batch, TaskSplit
from nasarena.search.errors import InvalidSetting
from nasarena.search.settings import settings


@settings
class SelectiveCopying:
    """Settings and generator. The last token is the copy sign, the one before it the blank."""

    vocab_size: int
    length: int
    num_train_examples: Annotated[int, Field(ge=1)]
    num_tokens_to_copy: int

    def __post_init__(self) -> None:
        if self.num_tokens_to_copy < 1:
            raise InvalidSetting(
                f"num_tokens_to_copy must be at least 1, got {self.num_tokens_to_copy}"
            )
        if self.vocab_size < 3:
            raise InvalidSetting(
                f"vocab_size must be at least 3 (a token, the blank, the copy sign), "
                f"got {self.vocab_size}"
            )
        if self.length < 2 * self.num_tokens_to_copy + 1:
            raise InvalidSetting(
                f"length must be at least {2 * self.num_tokens_to_copy + 1} to copy "
                f"{self.num_tokens_to_copy} tokens, got {self.length}"
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
        """Only what stands after the copy sign is asked for, in every split."""
        blank, copy_sign = self.vocab_size - 2, self.vocab_size - 1
        num_copied = self.num_tokens_to_copy
        num_blanks = self.length - 2 * num_copied - 1
        copied = rng.integers(blank, size=(num_examples, num_copied))
        # As published, each blank falls before one of the tokens, all equally likely: the last
        # token stands right before the copy sign.
        before = rng.integers(num_copied, size=(num_examples, num_blanks))
        counts = np.zeros((num_examples, num_copied), dtype=np.int64)
        np.add.at(counts, (np.arange(num_examples)[:, None], before), 1)
        positions = np.arange(num_copied) + np.cumsum(counts, axis=1)
        inputs = np.full((num_examples, self.length), blank)
        np.put_along_axis(inputs, positions, copied, axis=1)
        inputs[:, num_copied + num_blanks] = copy_sign
        targets = np.full_like(inputs, IGNORE)
        targets[:, -num_copied:] = copied
        return Batch(inputs, targets)
