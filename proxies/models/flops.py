"""What training a pattern costs, counted from its letters: exact FLOPs, parameters, tokens.

A multiply and an add are two operations. Counted are all matrix products, as
`torch.utils.flop_counter` counts them in the forward pass, and the taps of Mamba-2's convolution;
attention and scan as the full square of positions within a chunk, causal or not. The backward pass
counts twice the forward (Kaplan et al. 2020, section 2.1), so a training step is three forward
passes. Element-wise work is not counted.
"""

from dataclasses import dataclass

from nasarena.proxies.models.mamba2 import CHUNK
from nasarena.proxies.models.model_shape import HeadKind, ModelShape


@dataclass(frozen=True, slots=True)
class SequenceShape:
    """What a model reads: sequences of `length` over `vocab_size` tokens, and its kind of head."""

    vocab_size: int
    length: int
    head: HeadKind = "language_model"


def num_parameters(pattern: str, shape: ModelShape, sequence: SequenceShape) -> int:
    """Number of weights of one model."""
    tensors = shape.ends(sequence.vocab_size, sequence.length, sequence.head)
    for letter in pattern:
        tensors += shape.layer(letter, len(pattern))
    return sum(tensor.size for tensor in tensors)


def forward_flops(pattern: str, shape: ModelShape, sequence: SequenceShape) -> int:
    """FLOPs of one forward pass over one sequence."""
    layers = sum(layer_flops(letter, shape, sequence.length) for letter in pattern)
    return layers + _ends_flops(shape, sequence)


def layer_flops(letter: str, shape: ModelShape, length: int) -> int:
    """FLOPs of one layer in the forward pass over one sequence."""
    T, D = length, shape.width
    tensors = {tensor.name: tensor for tensor in shape.layer(letter, 1)}
    projections = 2 * T * (tensors["in_proj"].size + tensors["out_proj"].size)
    if letter == "A":
        return projections + 2 * 2 * T * T * D
    if letter == "S":
        return projections + _scan_flops(shape, T)
    return projections


def _scan_flops(shape: ModelShape, length: int) -> int:
    mamba = shape.mamba
    E, N = mamba.inner, mamba.state
    total = 2 * mamba.conv_channels * mamba.conv * length
    for start in range(0, length, CHUNK):
        T = min(CHUNK, length - start)
        total += 2 * T * T * (N + E)  # C B^T, then its product with X
        if length > CHUNK:
            total += 2 * T * N * E  # what the chunk adds to the state
            total += 2 * T * N * E if start else 0  # what the state adds to the chunk
    return total


def _ends_flops(shape: ModelShape, sequence: SequenceShape) -> int:
    T, D = sequence.length, shape.width
    decoder = 2 * T * 2 * D * 2 * D if sequence.head == "auto_encoder" else 0
    return decoder + 2 * T * D * sequence.vocab_size
