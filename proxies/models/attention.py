"""Causal multi-head attention with rotary positions, for a population of models at once.

Heads may share keys and values in groups (Ainslie et al. 2023, grouped-query attention).

Shapes: P models, B sequences, T positions, D width, H heads, G heads of keys and values, K head
width. Activations carry the population axis first, weights are stacked over it, projections are one
batched product.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

ROTARY_BASE = 10_000.0
_PLAIN_UP_TO = 128  # positions


@lru_cache(maxsize=16)
def rotary_table(length: int, head_width: int, device: torch.device) -> Tensor:
    """Unit complex numbers of shape `(T, K/2)`: position t turns pair j by `t * base^(-2j/K)`.

    Rotary position embedding (Su et al. 2021, section 3.2.2), adjacent pairs. Raises ValueError
    for an odd head width.
    """
    if head_width % 2:
        raise ValueError(f"rotary positions need an even head width, got {head_width}")
    frequency_J = ROTARY_BASE ** (-torch.arange(0, head_width, 2, device=device) / head_width)
    angle_TJ = torch.outer(torch.arange(length, device=device), frequency_J)
    return torch.polar(torch.ones_like(angle_TJ), angle_TJ)


def rotate(x_T2K: Tensor, table_TJ: Tensor) -> Tensor:
    """Turn queries or keys, shape `(..., T, K)`, by their positions, in float32 at least."""
    # There are no complex numbers of bfloat16.
    wide = x_T2K.to(torch.promote_types(x_T2K.dtype, torch.float32))
    pairs = torch.view_as_complex(wide.reshape(*x_T2K.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * table_TJ).flatten(-2)


def causal_mix(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Causal softmax attention over `(..., H, T, K)`: the library's kernel, or its plain formula.

    For short sequences on a CPU three plain operations are several times faster than the kernel.
    """
    T = query.shape[-2]
    if query.device.type != "cpu" or T > _PLAIN_UP_TO:
        return F.scaled_dot_product_attention(query, key, value, is_causal=True)
    scores = query @ key.transpose(-1, -2)
    mask = causal_mask(T, query.device)
    mixed: Tensor = (scores * query.shape[-1] ** -0.5 + mask).softmax(-1) @ value
    return mixed


@lru_cache(maxsize=16)
def causal_mask(length: int, device: torch.device) -> Tensor:
    """0 on and below the diagonal, minus infinity above, `(T, T)`."""
    return torch.full((length, length), -torch.inf, device=device).triu(1)


def attention(
    x_PBTD: Tensor, weights: dict[str, Tensor], num_heads: int, num_kv_heads: int, rotary: bool
) -> Tensor:
    """One attention layer, without norm and residual: `(P, B, T, D)` to `(P, B, T, D)`.

    `weights`: `in_proj` of `(P, D, (H + 2 G) K)`, whose columns are queries, keys and values, each
    heads by head width; `out_proj` of `(P, H K, D)`. Head h reads keys and values of head
    `h // (H / G)`. No biases.
    """
    P, B, T, D = x_PBTD.shape
    H, G = num_heads, num_kv_heads
    projected = torch.bmm(x_PBTD.reshape(P, B * T, D), weights["in_proj"])
    heads = projected.view(P * B, T, H + 2 * G, -1).transpose(1, 2)
    turned, value = torch.split(heads, [H + G, G], dim=1)
    if rotary:
        table_TJ = rotary_table(T, heads.shape[-1], x_PBTD.device)
        turned = rotate(turned, table_TJ).to(x_PBTD.dtype)
    query, key = torch.split(turned, [H, G], dim=1)
    if G < H:
        key, value = (part.repeat_interleave(H // G, dim=1) for part in (key, value))
    mixed = causal_mix(query, key, value)
    mixed_PND = mixed.transpose(1, 2).reshape(P, B * T, -1)
    return torch.bmm(mixed_PND, weights["out_proj"]).view(P, B, T, D)
