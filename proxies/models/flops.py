"""What training a pattern costs, counted from its letters: exact FLOPs, parameters, tokens.

A multiply and an add are two operations. Counted are all matrix products, as
`torch.utils.flop_counter` counts them in the forward pass, and the taps of Mamba-2's convolution;
attention and scan as the full square of positions within a chunk, causal or not. The backward pass
counts twice the forward (Kaplan et al. 2020, section 2.1), so a training step is three forward
passes. Element-wise work is not counted.
"""

from dataclasses import dataclass

from nasarena.proxies.models.kinds import layer_kind, layer_tensors
from nasarena.proxies.models.model_shape import DECODER_STAGES, HeadKind, ModelShape


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
        tensors += layer_tensors(letter, shape, len(pattern))
    return sum(tensor.size for tensor in tensors)


def forward_flops(pattern: str, shape: ModelShape, sequence: SequenceShape) -> int:
    """FLOPs of one forward pass over one sequence."""
    layers = sum(layer_flops(letter, shape, sequence.length) for letter in pattern)
    return layers + _ends_flops(shape, sequence)


def layer_flops(letter: str, shape: ModelShape, length: int) -> int:
    """FLOPs of one layer in the forward pass over one sequence."""
    return layer_kind(letter).flops(shape, length)


def _ends_flops(shape: ModelShape, sequence: SequenceShape) -> int:
    T, D = sequence.length, shape.width
    decoder = len(DECODER_STAGES) * 2 * T * D * D if sequence.head == "auto_encoder" else 0
    return decoder + 2 * T * D * sequence.vocab_size
