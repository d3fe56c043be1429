"""The sizes of one model at scale, whatever its pattern.

Like a proxy's `ModelShape`, but each width is said for itself, as published configurations do, and
the vocabulary belongs to it: what is counted at scale depends on it.
"""

from pydantic import Field

from nasarena.proxies.models.attention import ROTARY_BASE
from nasarena.proxies.models.model_shape import MlpKind, ModelShape
from nasarena.search.errors import InvalidSetting
from nasarena.search.settings import settings


@settings
class ScaledShape:
    """Sizes of the layers A, M and S, and of the embedding and head around them.

    Raises InvalidSetting for what is not positive, and where parts do not divide the whole.
    """

    width: int = Field(gt=0, description="features of the residual stream")
    num_heads: int = Field(ge=1, description="heads of queries of an attention layer")
    num_kv_heads: int = Field(ge=1, description="heads of keys and values, shared by groups")
    head_dim: int = Field(ge=1, description="features of an attention head")
    mlp: MlpKind = Field(description="swiglu, relu2 or gelu")
    mlp_hidden: int = Field(gt=0, description="hidden features of an MLP; a swiglu has them twice")
    mamba_heads: int = Field(ge=1, description="heads of a Mamba-2 layer")
    mamba_head_dim: int = Field(ge=1, description="features of a Mamba-2 head")
    mamba_state: int = Field(gt=0, description="states of each of these features")
    vocab_size: int = Field(gt=0, description="tokens that are told apart")
    mamba_groups: int = Field(1, ge=1, description="groups of Mamba-2 heads that share B and C")
    mamba_conv: int = Field(4, gt=0, description="taps of the causal convolution")
    tied_embeddings: bool = Field(
        False, description="whether the head is the embedding, transposed"
    )
    rotary: bool = Field(True, description="whether attention has rotary positions")
    rotary_base: float = Field(ROTARY_BASE, gt=0, description="base of their frequencies")
    norm_eps: float = Field(1e-5, gt=0, description="added to mean squares by every norm")
    embedding_std: float = Field(0.02, gt=0, description="of the initial embedding")

    def __post_init__(self) -> None:
        for name, whole, parts in (
            ("num_kv_heads", self.num_heads, self.num_kv_heads),
            ("mamba_groups", self.mamba_heads, self.mamba_groups),
        ):
            if whole % parts:
                raise InvalidSetting(f"{name} must divide {whole}, got {parts}")
        if self.rotary and self.head_dim % 2:
            raise InvalidSetting(f"rotary needs an even head_dim, got {self.head_dim}")

    @property
    def mamba_inner(self) -> int:
        """E, inner channels of a Mamba-2 layer."""
        return self.mamba_heads * self.mamba_head_dim

    @property
    def mamba_conv_channels(self) -> int:
        """Channels of its causal convolution: x, B and C."""
        return self.mamba_inner + 2 * self.mamba_groups * self.mamba_state

    @property
    def mamba_projection(self) -> int:
        """Columns of its input projection: z, x, B, C and dt."""
        return self.mamba_inner + self.mamba_conv_channels + self.mamba_heads


def scaled_shape(model: ModelShape, vocab_size: int) -> ScaledShape:
    """The sizes of a proxy's models over a vocabulary."""
    return ScaledShape(
        width=model.width,
        num_heads=model.num_heads,
        num_kv_heads=model.kv_heads,
        head_dim=model.head_width,
        mlp=model.mlp,
        mlp_hidden=model.mlp_width,
        mamba_heads=model.mamba_heads,
        mamba_head_dim=model.mamba.inner // model.mamba_heads,
        mamba_state=model.mamba_state,
        vocab_size=vocab_size,
        mamba_groups=model.mamba_groups,
        mamba_conv=model.mamba_conv,
        tied_embeddings=model.tied_embeddings,
        rotary=model.rotary,
        embedding_std=model.embedding_std,
    )
