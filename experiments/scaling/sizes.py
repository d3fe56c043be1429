"""Parameters and training FLOPs of a pattern at given widths, counted without building a model.

Which parameters are counted decides what a scaling law says, so it is a switch (`Count`):

| count | counted | where it is used |
|---|---|---|
| `layers` | the projections of all layers | Composer's sizes: what a pattern is stretched to |
| `matrices` | these and the head | the default: what a token is multiplied with |
| `all` | every weight: embedding, norms, convolutions, biases too | the size of a checkpoint |

A head that is the embedding transposed counts once. Layers and FLOPs are those that the proxies
count (proxies/models/kinds.py, flops.py): a multiply and an add are two operations, attention is
the full square of positions, a training step three forward passes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from nasarena.proxies.models.flops import SequenceShape, forward_flops, num_parameters
from nasarena.proxies.models.kinds import LAYER_KINDS, layer_kind
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.scaled.shape import ScaledShape
from nasarena.search.errors import InvalidSetting, nearest
from nasarena.search.notation import run_lengths
from nasarena.search.settings import build

WIDTHS = Path(__file__).parent / "widths.yaml"
Count = Literal["layers", "matrices", "all"]
_STEPS = 3  # forward passes that a training step is worth


@dataclass(frozen=True, slots=True)
class PublishedSize:
    """A size of the published comparisons; its Transformer has `blocks` attention-MLP pairs."""

    name: str
    blocks: int
    shape: ScaledShape

    @property
    def parameters(self) -> int:
        """Those of the Transformer's layers: the size that a pattern is stretched to."""
        return count_parameters("AM" * self.blocks, self.shape, "layers")


def published_size(name: str) -> PublishedSize:
    """The size of this name. Raises InvalidSetting for one that widths.yaml does not have."""
    sizes = _read_widths()
    if name not in sizes:
        raise InvalidSetting(f"no size is called {name!r}; {nearest(name, sizes)}")
    found = sizes[name]
    return PublishedSize(name, int(found["blocks"]), build(ScaledShape, found["shape"], name))


@cache
def _read_widths() -> Mapping[str, Any]:
    sizes: Mapping[str, Any] = yaml.safe_load(WIDTHS.read_text())
    return sizes


def layer_parameters(letter: str, shape: ScaledShape) -> int:
    """Weights of the projections of one layer; for all its weights see `count_parameters`."""
    refuse_unknown_letters(letter)
    tensors = layer_kind(letter).tensors(_proxy_shape(shape), 1.0)
    return sum(tensor.size for tensor in tensors if tensor.name in ("in_proj", "out_proj"))


def count_parameters(pattern: str, shape: ScaledShape, count: Count = "matrices") -> int:
    """Parameters of a whole model, as the table above counts them."""
    refuse_unknown_letters(pattern)
    if count == "all":
        return num_parameters(pattern, _proxy_shape(shape), _sequence(shape, 1))
    layers = sum(pattern.count(one) * layer_parameters(one, shape) for one in set(pattern))
    return layers + (shape.width * shape.vocab_size if count == "matrices" else 0)


def training_flops(pattern: str, shape: ScaledShape, num_tokens: int, length: int) -> int:
    """FLOPs of training on `num_tokens` tokens in sequences of `length`, rounded down."""
    refuse_unknown_letters(pattern)
    forward = forward_flops(pattern, _proxy_shape(shape), _sequence(shape, length))
    return _STEPS * forward * num_tokens // length


def refuse_unknown_letters(pattern: str) -> None:
    """Raise InvalidSetting where a letter has no layer at scale."""
    for letter in pattern:
        if letter not in LAYER_KINDS:
            raise InvalidSetting(
                f"letters at scale are {', '.join(LAYER_KINDS)}, got {letter!r} in "
                f"{run_lengths(pattern)}: it has no layer there"
            )


def _sequence(shape: ScaledShape, length: int) -> SequenceShape:
    return SequenceShape(shape.vocab_size, length)


@cache
def _proxy_shape(shape: ScaledShape) -> ModelShape:
    """The same widths as a proxy's model has them, so that layers are counted in one place.

    Raises InvalidSetting for widths that no proxy can have.
    """
    gates = 1.5 if shape.mlp == "swiglu" else 1.0
    found = ModelShape(
        width=shape.width,
        num_heads=shape.num_heads,
        num_kv_heads=shape.num_kv_heads,
        head_dim=shape.head_dim,
        rotary=shape.rotary,
        mlp=shape.mlp,
        mlp_ratio=gates * shape.mlp_hidden / shape.width,
        mamba_expand=max(1, shape.mamba_inner // shape.width),
        mamba_heads=shape.mamba_heads,
        mamba_state=shape.mamba_state,
        mamba_conv=shape.mamba_conv,
        mamba_groups=shape.mamba_groups,
        tied_embeddings=shape.tied_embeddings,
    )
    for name, wanted, got in (
        ("mlp_hidden", shape.mlp_hidden, found.mlp_width),
        ("mamba_heads x mamba_head_dim", shape.mamba_inner, found.mamba.inner),
    ):
        if wanted != got:
            raise InvalidSetting(
                f"{name} must be a multiple of 8 for a swiglu, and of the width for Mamba-2, to be "
                f"counted; got {wanted}, nearest {got}"
            )
    return found
