"""Attention and the MLP as PyTorch modules, at any size.

The formulas are those of the proxies' layers (`models/attention.py`, `models/mlp.py`), of one model
and with the library's own parts. No biases.

Shapes: B sequences, T positions, D width, H heads, G heads of keys and values, K head width, F
hidden width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasarena.proxies.models.attention import causal_mix
from nasarena.proxies.scaled.shape import ScaledShape


class Attention(nn.Module):
    """Causal attention with grouped queries, and rotary positions where the shape has them.

    Columns of `in_proj` are queries, keys and values, each heads by head width. Query head h reads
    head `h // (H / G)` of keys and values.
    """

    def __init__(self, shape: ScaledShape) -> None:
        super().__init__()
        H, G, K = shape.num_heads, shape.num_kv_heads, shape.head_dim
        self._heads, self._base = (H, G, K), shape.rotary_base if shape.rotary else None
        self.in_proj = nn.Linear(shape.width, (H + 2 * G) * K, bias=False)
        self.out_proj = nn.Linear(H * K, shape.width, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """`(B, T, D)` to the same."""
        B, T, _ = x_BTD.shape
        H, G, K = self._heads
        heads = self.in_proj(x_BTD).view(B, T, H + 2 * G, K).transpose(1, 2)
        turned, value = torch.split(heads, [H + G, G], dim=1)
        if self._base is not None:
            turned = rotate(turned, self._base)
        query, key = torch.split(turned, [H, G], dim=1)
        mixed = _mix(query, key, value).transpose(1, 2).reshape(B, T, H * K)
        result: Tensor = self.out_proj(mixed)
        return result


def _mix(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Causal attention of `(B, H, T, K)` on `(B, G, T, K)`."""
    H, G = query.shape[1], key.shape[1]
    if query.is_cuda:  # its kernels read shared heads where they lie
        return F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=G < H)
    if G < H:
        key, value = (part.repeat_interleave(H // G, dim=1) for part in (key, value))
    return causal_mix(query, key, value)


def rotate(x_T2K: Tensor, base: float) -> Tensor:
    """Queries or keys `(..., T, K)`, their adjacent pairs turned by their positions.

    Position t turns pair j by `t * base^(-2j/K)` (Su et al. 2021, section 3.2.2), in float32.
    """
    T, K = x_T2K.shape[-2:]
    frequency_J = base ** (-torch.arange(0, K, 2, device=x_T2K.device) / K)
    angle_TJ = torch.outer(torch.arange(T, device=x_T2K.device), frequency_J)
    cos, sin = angle_TJ.cos(), angle_TJ.sin()
    first, second = x_T2K[..., 0::2].float(), x_T2K[..., 1::2].float()
    turned = torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1)
    return turned.flatten(-2).to(x_T2K.dtype)


class Mlp(nn.Module):
    """SwiGLU (Shazeer 2020; the gate's columns first), squared ReLU, or GELU in its tanh form."""

    def __init__(self, shape: ScaledShape) -> None:
        super().__init__()
        self._kind = shape.mlp
        columns = shape.mlp_hidden * (1 + (shape.mlp == "swiglu"))
        self.in_proj = nn.Linear(shape.width, columns, bias=False)
        self.out_proj = nn.Linear(shape.mlp_hidden, shape.width, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """`(B, T, D)` to the same."""
        hidden = self.in_proj(x_BTD)
        if self._kind == "swiglu":
            gate, up = hidden.chunk(2, dim=-1)
            hidden = F.silu(gate) * up
        elif self._kind == "relu2":
            hidden = F.relu(hidden).square()
        else:
            hidden = F.gelu(hidden, approximate="tanh")
        result: Tensor = self.out_proj(hidden)
        return result
