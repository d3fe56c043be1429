"""Mamba-2: a selective state space in its chunked matrix form, for a population of models at once.

State space duality (Dao & Gu 2024): within a chunk of positions the recurrence

    h_t = exp(dt_t A) h_{t-1} + dt_t B_t x_t,      y_t = C_t h_t + D x_t

is a masked matrix product, `Y = (L * C B^T) (dt X)` with `L_ts = exp(sum of dt A over s < r <= t)`;
between chunks only the state is carried. A sequence of one chunk needs the product alone.
`recurrent_scan` is the recurrence as it stands, slow, to check the fast form against.

Shapes: P models, B sequences, T positions, H heads, K head width, N state, E = H K inner width.
One group: all heads of a model share B and C, as in Mamba-2's defaults.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from nasarena.proxies.models.attention import causal_mask
from nasarena.proxies.models.model_shape import Mamba2Shape
from nasarena.proxies.models.rms_norm import rms_norm
from nasarena.proxies.models.triton_scan import has_triton_scan, scan_population

CHUNK = 64


def mamba2(x_PBTD: Tensor, weights: dict[str, Tensor], shape: Mamba2Shape) -> Tensor:
    """One Mamba-2 layer, without norm and residual: `(P, B, T, D)` to `(P, B, T, D)`.

    `weights`, each stacked over P: `in_proj` `(D, projection_width)` with columns z, x, B, C, dt;
    `conv` `(conv_channels, conv)`, `conv_bias` `(conv_channels,)`; `dt_bias`, `a_log` and `skip`
    `(H,)`; `gate_norm` `(E,)`; `out_proj` `(E, D)`.
    """
    P, B, T, D = x_PBTD.shape
    E, N, H = shape.inner, shape.state, shape.num_heads
    projected = torch.bmm(x_PBTD.reshape(P, B * T, D), weights["in_proj"]).view(P, B, T, -1)
    z, xbc, dt = torch.split(projected, [E, shape.conv_channels, H], dim=-1)
    xbc = F.silu(causal_conv(xbc, weights["conv"], weights["conv_bias"]))
    x, b, c = torch.split(xbc, [E, N, N], dim=-1)
    dt_PBTH = F.softplus(dt + weights["dt_bias"][:, None, None])
    x_PBTHK = x.reshape(P, B, T, H, E // H)
    if x.is_cuda and has_triton_scan():
        y = scan_population(x_PBTHK, dt_PBTH, -weights["a_log"].exp(), b, c)
    else:
        decay_PBTH = dt_PBTH * -weights["a_log"].exp()[:, None, None]
        y = scan_in_chunks(x_PBTHK * dt_PBTH[..., None], decay_PBTH, b, c)
    y = y + x_PBTHK * weights["skip"][:, None, None, :, None]
    normed = rms_norm(y.flatten(-2) * F.silu(z), weights["gate_norm"])
    return torch.bmm(normed.view(P, B * T, E), weights["out_proj"]).view(P, B, T, D)


def causal_conv(x_PBTC: Tensor, weight_PCW: Tensor, bias_PC: Tensor) -> Tensor:
    """Depthwise convolution over the last W positions; the last tap weighs the present one.

    Shapes: C channels, W taps; `(P, B, T, C)` to the same. A sum of products: torch's grouped
    convolution wants channels before positions, and is slower by the copies.
    """
    T, num_taps = x_PBTC.shape[2], weight_PCW.shape[-1]
    padded = F.pad(x_PBTC, (0, 0, num_taps - 1, 0))
    mixed = bias_PC[:, None, None]
    for tap, weight_PC in enumerate(weight_PCW.unbind(-1)):
        mixed = mixed + padded[:, :, tap : tap + T] * weight_PC[:, None, None]
    return mixed


def scan_in_chunks(x: Tensor, decay: Tensor, b: Tensor, c: Tensor, chunk: int = CHUNK) -> Tensor:
    """The scan `h_t = exp(decay_t) h_{t-1} + b_t x_t, y_t = c_t h_t` in chunks of `chunk`.

    `x` `(P, B, T, H, K)` already holds the factor dt; `decay` `(P, B, T, H)` is dt A, below 0;
    `b`, `c` `(P, B, T, N)`. Returns `(P, B, T, H, K)`. The state starts at zero.
    """
    T = x.shape[2]
    if T <= chunk:
        return _within_chunk(x, decay, b, c)
    outputs, state = [], None
    for start in range(0, T, chunk):
        part = slice(start, start + chunk)
        x_c, decay_c, b_c, c_c = x[:, :, part], decay[:, :, part], b[:, :, part], c[:, :, part]
        y = _within_chunk(x_c, decay_c, b_c, c_c)
        total = running_sum(decay_c)
        if state is not None:
            y = y + torch.einsum("pbtn,pbhkn,pbth->pbthk", c_c, state, total.exp())
        to_end = (total[:, :, -1:] - total).exp()
        added = torch.einsum("pbtn,pbthk,pbth->pbhkn", b_c, x_c, to_end)
        state = added if state is None else state * total[:, :, -1].exp()[..., None, None] + added
        outputs.append(y)
    return torch.cat(outputs, dim=2)


def _within_chunk(x: Tensor, decay: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """`(L * C B^T) X` over one chunk, from a zero state; shapes as in `scan_in_chunks`."""
    total = running_sum(decay).transpose(2, 3)  # (P, B, H, T)
    # Masked before exp: above the diagonal the difference is positive and may overflow.
    log_mask = total[..., :, None] - total[..., None, :] + causal_mask(x.shape[2], x.device)
    weight = log_mask.exp() * (c @ b.transpose(-1, -2))[:, :, None]
    return (weight @ x.transpose(2, 3)).transpose(2, 3)


def running_sum(x_PBTH: Tensor) -> Tensor:
    """Over positions; where torch's own is not deterministic, on a GPU, by doubling the reach."""
    if not x_PBTH.is_cuda:
        return x_PBTH.cumsum(2)
    return sum_by_doubling(x_PBTH)


def sum_by_doubling(x_PBTH: Tensor) -> Tensor:
    """Running sums over positions in log2(T) additions (Hillis & Steele 1986)."""
    reach, T = 1, x_PBTH.shape[2]
    while reach < T:
        x_PBTH = x_PBTH + F.pad(x_PBTH[:, :, : T - reach], (0, 0, reach, 0))
        reach *= 2
    return x_PBTH


def recurrent_scan(x: Tensor, decay: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """What `scan_in_chunks` computes, one position after the other; the reference."""
    state = torch.zeros(*x.shape[:2], *x.shape[3:], b.shape[-1], dtype=x.dtype, device=x.device)
    outputs = []
    for t in range(x.shape[2]):
        update = x[:, :, t, :, :, None] * b[:, :, t, None, None]
        state = state * decay[:, :, t].exp()[..., None, None] + update
        outputs.append((state * c[:, :, t, None, None]).sum(-1))
    return torch.stack(outputs, dim=2)
