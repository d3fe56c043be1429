"""The sizes of a proxy model, and the tensors before and after its layers (kinds.py has theirs).

A model is token embedding, one pre-norm residual layer per letter, a final norm and a head.
Initial values follow each tensor's rule, from one normal stream per model, so that they depend on
(run seed, pattern, replicate) and never on which other models train beside it.
"""

from dataclasses import dataclass, field
from typing import Literal, get_args

from nasarena.proxies.models.mamba2 import Mamba2Shape
from nasarena.proxies.models.mlp import MlpKind
from nasarena.search.errors import InvalidSetting

# How a tensor starts: scaled normal, all ones, or Mamba-2's own rules.
Init = Literal["normal", "ones", "zeros", "a_log", "dt_bias"]
HeadKind = Literal["language_model", "auto_encoder"]
_POSITIVE = (
    "width", "mlp_ratio", "mamba_expand", "mamba_state", "mamba_conv", "embedding_std",
)  # fmt: skip


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
class ModelShape:
    """Sizes shared by every model of a proxy, whatever its pattern.

    Raises InvalidSetting for what is not positive, and where heads do not divide the width.
    """

    width: int = 32
    num_heads: int = 4
    rotary: bool = True
    mlp: MlpKind = "gelu"
    mlp_ratio: float = 4.0
    mamba_expand: int = 2
    mamba_heads: int = 4
    mamba_state: int = 16
    mamba_conv: int = 4
    # Small against what the layers add: at 1.0 a short training hardly hears them, and the score
    # says little of the pattern (docs/proxies.md has the numbers).
    embedding_std: float = 0.1
    mamba: Mamba2Shape = field(init=False)

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise InvalidSetting(
                    f"proxy model.{name} must be positive, got {getattr(self, name)}"
                )
        if self.mlp not in get_args(MlpKind):
            kinds = ", ".join(get_args(MlpKind))
            raise InvalidSetting(f"proxy model.mlp must be one of {kinds}, got {self.mlp!r}")
        mamba = Mamba2Shape(
            self.width, self.mamba_expand, self.mamba_heads, self.mamba_state, self.mamba_conv
        )
        object.__setattr__(self, "mamba", mamba)
        for name, whole, parts in (
            ("num_heads", self.width, self.num_heads),
            ("mamba_heads", mamba.inner, self.mamba_heads),
        ):
            if parts < 1 or whole % parts:
                raise InvalidSetting(f"proxy {name} must divide {whole}, got {parts}")
        if self.rotary and (self.width // self.num_heads) % 2:
            raise InvalidSetting(
                f"rotary positions need an even head width, got {self.width // self.num_heads}"
            )

    @property
    def mlp_width(self) -> int:
        """Hidden width of the MLP; a SwiGLU has two thirds of it twice, rounded to 8."""
        hidden = self.mlp_ratio * self.width
        return round(hidden * 2 / 3 / 8) * 8 if self.mlp == "swiglu" else round(hidden)

    def ends(self, vocab_size: int, length: int, head: HeadKind) -> list[TensorSpec]:
        """Tensors before and after the stack."""
        D = self.width
        tensors = [
            TensorSpec("embedding", (vocab_size, D), "normal", self.embedding_std),
            TensorSpec("final_norm", (D,), "ones"),
            TensorSpec("head", (D, vocab_size), "normal", D**-0.5),
        ]
        if head == "auto_encoder":
            # mad-lab's compression decoder: last state and position in, two layers, tokens out.
            tensors += [
                TensorSpec("decoder_in", (D, 2 * D), "normal", D**-0.5),
                TensorSpec("decoder_out", (2 * D, D), "normal", (2 * D) ** -0.5),
            ]
        return tensors
