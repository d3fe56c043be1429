"""How much memory a population takes where the CPU's own kernels train it (native/).

    28 bytes a weight + data, for each model, and once for each thread: what the layers of the model
    at work keep for its backward pass + one layer at work

What is kept follows from the sizes: the states between layers, and of each layer the norm's scales,
the projection, and of a Mamba-2 layer what its convolution and its scan gave.
"""

from collections.abc import Sequence

import torch

from nasarena.proxies.flops import num_parameters
from nasarena.proxies.memory import MemoryModel

# Of each weight: itself 4, its gradient 4, two moments 8, its model's number 8, its decay 4.
_BYTES_PER_WEIGHT = 28
_FLOAT = 4
_LEAST = 2**20  # what an arena takes at least; a thread has two (native/arena.h)


class NativeMemoryModel(MemoryModel):
    """Peak bytes of training models of these sizes on this data."""

    __slots__ = ()

    def model_bytes(self, pattern: str) -> int:
        """What one model adds to a population."""
        num_weights = num_parameters(pattern, self.shape, self.sequence)
        return _BYTES_PER_WEIGHT * num_weights + self.data_bytes()

    def shared_bytes(self, patterns: Sequence[str]) -> int:
        """Memory to work in, of all threads."""
        most = max(
            max(self.kept_bytes(pattern), _LEAST) + max(self._working_bytes(pattern), _LEAST)
            for pattern in set(patterns)
        )
        return most * min(torch.get_num_threads(), len(patterns))

    def kept_bytes(self, pattern: str) -> int:
        """What one model's forward pass over a batch leaves for its backward pass."""
        T, D = self.sequence.length, self.shape.width
        states = (len(pattern) + 1) * T * D
        kept = states + sum(self._kept(letter) for letter in pattern)
        return _FLOAT * self.train.batch_size * kept

    def _kept(self, letter: str) -> int:
        """Floats of one layer and one sequence."""
        T, mamba = self.sequence.length, self.shape.mamba
        columns = 1 + self._projected(letter)
        return T * (columns + (mamba.conv_channels + mamba.inner + 1 if letter == "S" else 0))

    def _working_bytes(self, pattern: str) -> int:
        """The costliest layer at work, or the head."""
        T, D, V = self.sequence.length, self.shape.width, self.sequence.vocab_size
        head = V * D + T * V + 4 * T * D
        if self.sequence.head == "auto_encoder":
            head += 4 * D * D + 9 * T * D
        return _FLOAT * max(head, *(self._working(letter) for letter in pattern))

    def _working(self, letter: str) -> int:
        """Floats: weights, weights turned and their gradients; and one sequence's values."""
        T, D, mamba = self.sequence.length, self.shape.width, self.shape.mamba
        columns, inner = self._projected(letter), self._inner(letter)
        layer = 3 * D * (columns + inner) + T * (2 * D + 2 * inner + columns)
        if letter == "A":
            return layer + 2 * T * T + T * D // self.shape.num_heads
        if letter == "S":
            turned = T * max(mamba.inner // mamba.num_heads, mamba.state)
            return layer + 4 * T * T + T * (2 * mamba.conv_channels + mamba.inner) + turned
        return layer

    def _projected(self, letter: str) -> int:
        """Columns of the input projection."""
        tensors = {tensor.name: tensor for tensor in self.shape.layer(letter, 1)}
        return tensors["in_proj"].shape[1]

    def _inner(self, letter: str) -> int:
        """Rows of the output projection."""
        tensors = {tensor.name: tensor for tensor in self.shape.layer(letter, 1)}
        return tensors["out_proj"].shape[0]
