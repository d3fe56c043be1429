"""What a trained proxy is trained on: the Task contract between data and trainer.

A task is pure: a sample depends on (settings, run seed, split, size) and nothing else. Its data
are numpy arrays; only the trainer knows torch.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

IGNORE = -100  # a target that counts neither for the loss nor for the accuracy

TaskSplit = Literal["train", "search", "held_out"]


@dataclass(frozen=True, slots=True)
class Batch:
    """`inputs` and `targets`, both `(num_examples, length)` token ids; targets may be IGNORE."""

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]


class Task(Protocol):
    """A source of examples.

    `head` names the model around the pattern: a `language_model` predicts at every position; an
    `auto_encoder` squeezes the sequence into its last state and decodes every position from that
    state (mad-lab's compression task). `fingerprint` hashes everything that a sample depends on
    besides the arguments of `sample` (settings, and the text of a corpus): it enters the version
    of every proxy that trains on the task. `length` is the length of the inputs as sampled,
    `num_train` the size of its training set (0: every example is new).
    """

    name: str
    fingerprint: str
    vocab_size: int
    length: int
    num_train: int

    @property
    def head(self) -> Literal["language_model", "auto_encoder"]:
        """What kind of model is built around the pattern."""
        ...

    def sample(self, run_seed: int, split: TaskSplit, num_examples: int) -> Batch:
        """The first `num_examples` of one split's stream; a longer sample begins with a shorter."""
        ...
