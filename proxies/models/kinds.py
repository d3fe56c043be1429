"""What each letter is in a trained model: its tensors, its FLOPs, its forward pass.

A new letter is one entry of `LAYER_KINDS` here and one row of `nasarena.search.notation.LETTERS`;
it trains through torch then. To train by the CPU's kernels as well, it needs a core in native/ and
a number there (model.h).

Shapes: P models, B sequences, T positions, D width.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from nasarena.proxies.models.attention import attention
from nasarena.proxies.models.mamba2 import CHUNK, mamba2
from nasarena.proxies.models.mlp import mlp
from nasarena.proxies.models.model_shape import ModelShape, TensorSpec
from nasarena.search.errors import InvalidSetting


@dataclass(frozen=True, slots=True)
class LayerKind:
    """One kind of layer, without the norm before it and the residual around it.

    tensors       of a layer, in the order in which their initial values are drawn, given the
                  model's sizes and by what factor the last projection starts smaller
    flops         of a forward pass over one sequence of so many positions
    forward       `(P, B, T, D)` to `(P, B, T, D)`, with the tensors by name, stacked over P
    native_index  its number in native/model.h; None: it trains through torch alone
    """

    tensors: Callable[[ModelShape, float], list[TensorSpec]]
    flops: Callable[[ModelShape, int], int]
    forward: Callable[[Tensor, dict[str, Tensor], ModelShape], Tensor]
    native_index: int | None = None


def layer_kind(letter: str) -> LayerKind:
    """What a letter stands for; raises InvalidSetting where it stands for no layer."""
    if letter not in LAYER_KINDS:
        *others, last = LAYER_KINDS
        raise InvalidSetting(
            f"a trained proxy has layers {', '.join(others)} and {last}, got {letter!r}"
        )
    return LAYER_KINDS[letter]


def layer_tensors(letter: str, shape: ModelShape, depth: int) -> list[TensorSpec]:
    """Tensors of one layer, its norm's first, in a stack of `depth` layers.

    The last projection of a layer starts smaller by sqrt(depth), so that the residual stream
    starts at the same size at any depth (Radford et al. 2019, section 2.3).
    """
    norm = TensorSpec("norm", (shape.width,), "ones")
    return [norm, *layer_kind(letter).tensors(shape, depth**-0.5)]


def has_native(letters: str) -> bool:
    """Whether the CPU's kernels know all of these letters."""
    return all(layer_kind(letter).native_index is not None for letter in letters)


def native_kinds(letters: str) -> bytes:
    """The letters as the CPU's kernels read them, a byte each; for those that they know."""
    indices = [layer_kind(letter).native_index for letter in letters]
    return bytes(index for index in indices if index is not None)


def projection_flops(tensors: list[TensorSpec], length: int) -> int:
    """FLOPs of the products of `length` positions with `in_proj` and `out_proj`."""
    sizes = {tensor.name: tensor.size for tensor in tensors}
    return 2 * length * (sizes["in_proj"] + sizes["out_proj"])


def _attention_tensors(shape: ModelShape, out: float) -> list[TensorSpec]:
    D, K = shape.width, shape.head_width
    columns, mixed = (shape.num_heads + 2 * shape.kv_heads) * K, shape.num_heads * K
    return [
        TensorSpec("in_proj", (D, columns), "normal", D**-0.5),
        TensorSpec("out_proj", (mixed, D), "normal", mixed**-0.5 * out),
    ]


def _attention_flops(shape: ModelShape, length: int) -> int:
    projections = projection_flops(_attention_tensors(shape, 1.0), length)
    return projections + 2 * 2 * length * length * shape.num_heads * shape.head_width


def _attention(x_PBTD: Tensor, weights: dict[str, Tensor], shape: ModelShape) -> Tensor:
    return attention(x_PBTD, weights, shape.num_heads, shape.kv_heads, shape.rotary)


def _mlp_tensors(shape: ModelShape, out: float) -> list[TensorSpec]:
    D, hidden = shape.width, shape.mlp_width
    columns = hidden * (1 + (shape.mlp == "swiglu"))
    return [
        TensorSpec("in_proj", (D, columns), "normal", D**-0.5),
        TensorSpec("out_proj", (hidden, D), "normal", hidden**-0.5 * out),
    ]


def _mlp_flops(shape: ModelShape, length: int) -> int:
    return projection_flops(_mlp_tensors(shape, 1.0), length)


def _mlp(x_PBTD: Tensor, weights: dict[str, Tensor], shape: ModelShape) -> Tensor:
    return mlp(x_PBTD, weights, shape.mlp)


def _mamba2_tensors(shape: ModelShape, out: float) -> list[TensorSpec]:
    D, mamba = shape.width, shape.mamba
    return [
        TensorSpec("in_proj", (D, mamba.projection_width), "normal", D**-0.5),
        TensorSpec("conv", (mamba.conv_channels, mamba.conv), "normal", mamba.conv**-0.5),
        TensorSpec("conv_bias", (mamba.conv_channels,), "zeros"),
        TensorSpec("dt_bias", (mamba.num_heads,), "dt_bias"),
        TensorSpec("a_log", (mamba.num_heads,), "a_log"),
        TensorSpec("skip", (mamba.num_heads,), "ones"),
        TensorSpec("gate_norm", (mamba.inner,), "ones"),
        TensorSpec("out_proj", (mamba.inner, D), "normal", mamba.inner**-0.5 * out),
    ]


def _mamba2_flops(shape: ModelShape, length: int) -> int:
    mamba = shape.mamba
    E, N = mamba.inner, mamba.state
    total = projection_flops(_mamba2_tensors(shape, 1.0), length)
    total += 2 * mamba.conv_channels * mamba.conv * length
    for start in range(0, length, CHUNK):
        T = min(CHUNK, length - start)
        total += 2 * T * T * (mamba.groups * N + E)  # C B^T, then its product with X
        if length > CHUNK:
            total += 2 * T * N * E  # what the chunk adds to the state
            total += 2 * T * N * E if start else 0  # what the state adds to the chunk
    return total


def _mamba2(x_PBTD: Tensor, weights: dict[str, Tensor], shape: ModelShape) -> Tensor:
    return mamba2(x_PBTD, weights, shape.mamba)


LAYER_KINDS: dict[str, LayerKind] = {
    "A": LayerKind(_attention_tensors, _attention_flops, _attention, native_index=0),
    "M": LayerKind(_mlp_tensors, _mlp_flops, _mlp, native_index=1),
    "S": LayerKind(_mamba2_tensors, _mamba2_flops, _mamba2, native_index=2),
}
