"""The sizes of a proxy model, and the tensors before and after its layers (kinds.py has theirs).

A model is token embedding, one pre-norm residual layer per letter, a final norm and a head.
Initial values follow each tensor's rule, from one normal stream per model, so that they depend on
(run seed, pattern, replicate) and never on which other models train beside it.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from nasarena.search.errors import InvalidSetting
from nasarena.search.settings import settings

# How a tensor starts: scaled normal, all ones, or Mamba-2's own rules.
Init = Literal["normal", "ones", "zeros", "a_log", "dt_bias"]
HeadKind = Literal["language_model", "auto_encoder"]
DECODER_STAGES = (1, 2)  # of an auto-encoder's decoder (decoder.py)
MlpKind = Literal["gelu", "swiglu", "relu2"]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One weight tensor of one layer: name, shape, start, and whether weight decay applies."""

    name: str
    shape: tuple[int, ...]
    init: Init
    scale: float = 1.0

    @property
    def size(self) -> int:
        """Number of elements."""
        size = 1
        for extent in self.shape:
            size *= extent
        return size

    @property
    def decays(self) -> bool:
        """Matrices decay; norms, biases and the like do not."""
        return self.init == "normal" and len(self.shape) == 2


@dataclass(frozen=True, slots=True)
class Mamba2Shape:
    """Widths of one layer: E = `expand` D inner channels in `num_heads` heads, N states each.

    Heads of one of the G `groups` share B and C, and the gated norm is over a group's channels, as
    in Mamba-2 and Nemotron-H. A layer's state holds E N numbers, however many heads there are.
    """

    width: int
    expand: int = 2
    num_heads: int = 4
    state: int = 16
    conv: int = 4
    groups: int = 1

    @property
    def inner(self) -> int:
        """E, the number of inner channels."""
        return self.expand * self.width

    @property
    def conv_channels(self) -> int:
        """Channels of the causal convolution: x, B and C."""
        return self.inner + 2 * self.groups * self.state

    @property
    def projection_width(self) -> int:
        """Columns of the input projection: z, x, B, C and dt."""
        return self.inner + self.conv_channels + self.num_heads


@settings
class ModelShape:
    """Sizes shared by every model of a proxy, whatever its pattern; by default those of `quick`.

    Raises InvalidSetting for what is not positive, and where parts do not divide the whole.
    """

    width: int = Field(32, gt=0, description="features of the residual stream")
    num_heads: int = Field(2, ge=1, description="heads of an attention layer")
    num_kv_heads: int | None = Field(
        None,
        ge=1,
        description="heads of keys and values, shared by groups of heads; null: as many as heads",
    )
    head_dim: int | None = Field(
        None, ge=1, description="features of an attention head; null: width / num_heads"
    )
    rotary: bool = Field(True, description="whether attention has rotary positions")
    mlp: MlpKind = Field("gelu", description="gelu, swiglu or relu2")
    mlp_ratio: float = Field(4.0, gt=0, description="hidden features of an MLP, to the width")
    mamba_expand: int = Field(2, gt=0, description="inner features of a Mamba layer, to the width")
    mamba_heads: int = Field(2, ge=1, description="heads of a Mamba layer")
    mamba_state: int = Field(8, gt=0, description="state size of a Mamba head")
    mamba_conv: int = Field(4, gt=0, description="taps of the causal convolution")
    mamba_groups: int = Field(1, ge=1, description="groups of Mamba heads that share B and C")
    tied_embeddings: bool = Field(
        False, description="whether the head is the embedding, transposed"
    )
    # Small against what the layers add: at 1.0 a short training hardly hears them, and the score
    # says little of the pattern (docs/proxies.md has the numbers).
    embedding_std: float = Field(
        0.1, gt=0, description="of the initial embedding; small, so that the layers are heard early"
    )

    def __post_init__(self) -> None:
        for name, whole, parts in (
            ("num_heads", self.width if self.head_dim is None else 0, self.num_heads),
            ("num_kv_heads", self.num_heads, self.kv_heads),
            ("mamba_heads", self.mamba.inner, self.mamba_heads),
            ("mamba_groups", self.mamba_heads, self.mamba_groups),
        ):
            if whole % parts:
                raise InvalidSetting(f"{name} must divide {whole}, got {parts}")
        if self.rotary and self.head_width % 2:
            raise InvalidSetting(f"rotary needs an even head width, got {self.head_width}")

    @property
    def head_width(self) -> int:
        """K, features of an attention head."""
        return self.width // self.num_heads if self.head_dim is None else self.head_dim

    @property
    def kv_heads(self) -> int:
        """G, heads of keys and values."""
        return self.num_heads if self.num_kv_heads is None else self.num_kv_heads

    @property
    def mamba(self) -> Mamba2Shape:
        """Widths of a Mamba layer."""
        return Mamba2Shape(
            self.width, self.mamba_expand, self.mamba_heads, self.mamba_state, self.mamba_conv,
            self.mamba_groups,
        )  # fmt: skip

    @property
    def mlp_width(self) -> int:
        """Hidden width of the MLP; a SwiGLU has two thirds of it twice, rounded to 8."""
        hidden = self.mlp_ratio * self.width
        return round(hidden * 2 / 3 / 8) * 8 if self.mlp == "swiglu" else round(hidden)

    def ends(self, vocab_size: int, length: int, head: HeadKind) -> list[TensorSpec]:
        """Tensors before and after the stack."""
        D, is_decoder = self.width, head == "auto_encoder"
        spread = 0.02 if is_decoder else D**-0.5
        tensors = [
            TensorSpec("embedding", (vocab_size, D), "normal", self.embedding_std),
            TensorSpec("final_norm", (D,), "ones"),
        ]
        if not self.tied_embeddings:
            tensors.append(TensorSpec("head", (D, vocab_size), "normal", spread))
        if is_decoder:
            tensors.append(TensorSpec("head_bias", (vocab_size,), "zeros"))
        for stage in DECODER_STAGES if is_decoder else ():
            tensors += [
                TensorSpec(f"decoder_norm_{stage}", (D,), "ones"),
                TensorSpec(f"decoder_{stage}", (D, D), "normal", spread),
                TensorSpec(f"decoder_bias_{stage}", (D,), "zeros"),
            ]
        return tensors
