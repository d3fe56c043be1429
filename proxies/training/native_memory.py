"""How much memory a population takes where the CPU's own kernels train it (native/).

    28 bytes a weight + data, for each model, and once for each thread: what the layers of the model
    at work keep for its backward pass, or two states where it is scored, + one layer at work

The kernels reserve what they need before each step, and say themselves how much that is.
"""

from collections.abc import Sequence

import torch

from nasarena.proxies.models.flops import num_parameters
from nasarena.proxies.models.kinds import native_kinds
from nasarena.proxies.native.library import Sizes, require_library
from nasarena.proxies.native.step import kernel_sizes
from nasarena.proxies.training.memory import MemoryModel

# Of each weight: itself 4, its gradient 4, two moments 8, its model's number 8, its decay 4.
_BYTES_PER_WEIGHT = 28


class NativeMemoryModel(MemoryModel):
    """Peak bytes of training models of these sizes on this data."""

    __slots__ = ()

    def model_bytes(self, pattern: str) -> int:
        """What one model adds to a population."""
        num_weights = num_parameters(pattern, self.shape, self.sequence)
        return _BYTES_PER_WEIGHT * num_weights + self.data_bytes()

    def workspace_bytes(self, patterns: Sequence[str]) -> int:
        """Memory to work in, of all threads."""
        most = max(self._room_bytes(pattern) for pattern in set(patterns))
        return most * min(torch.get_num_threads(), len(patterns))

    def activation_bytes(self, pattern: str) -> int:
        """What one model's forward pass over a batch leaves for its backward pass."""
        model, train = self._model(pattern), self.train
        kept: int = require_library().nasarena_kept_bytes(*model, train.batch_size)
        return kept

    def _room_bytes(self, pattern: str) -> int:
        """What one thread takes, whichever is more: in training or in scoring."""
        model, train = self._model(pattern), self.train
        room: int = require_library().nasarena_room_bytes(
            *model, train.batch_size, train.num_scored_together
        )
        return room

    def _model(self, pattern: str) -> tuple[Sizes, int, bytes]:
        """As the kernels are told of it."""
        return kernel_sizes(self.shape, self.sequence), len(pattern), native_kinds(pattern)
