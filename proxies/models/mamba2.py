"""Mamba-2: a selective state space in its chunked matrix form, for a population of models at once.

State space duality (Dao & Gu 2024): within a chunk of positions the recurrence

    h_t = exp(dt_t A) h_{t-1} + dt_t B_t x_t,      y_t = C_t h_t + D x_t

is a masked matrix product, `Y = (L * C B^T) (dt X)` with `L_ts = exp(sum of dt A over s < r <= t)`;
between chunks only the state is carried. A sequence of one chunk needs the product alone.
`recurrent_scan` is the recurrence as it stands, slow, to check the fast form against.

Shapes: P models, B sequences, T positions, H heads, K head width, N state, E = H K inner width, G
groups of J = H / G heads that share B and C.
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
    E, H, G = shape.inner, shape.num_heads, shape.groups
    projected = torch.bmm(x_PBTD.reshape(P, B * T, D), weights["in_proj"]).view(P, B, T, -1)
    z, xbc, dt = torch.split(projected, [E, shape.conv_channels, H], dim=-1)
    xbc = F.silu(causal_conv(xbc, weights["conv"], weights["conv_bias"]))
    x, b, c = torch.split(xbc, [E, G * shape.state, G * shape.state], dim=-1)
    b, c = (part.reshape(P, B, T, G, -1) for part in (b, c))
    dt_PBTH = F.softplus(dt + weights["dt_bias"][:, None, None])
    x_PBTHK = x.reshape(P, B, T, H, E // H)
    if x.is_cuda and has_triton_scan():
        y = scan_population(x_PBTHK, dt_PBTH, -weights["a_log"].exp(), b, c)
    else:
        decay_PBTH = dt_PBTH * -weights["a_log"].exp()[:, None, None]
        y = scan_in_chunks(x_PBTHK * dt_PBTH[..., None], decay_PBTH, b, c)
    y = y + x_PBTHK * weights["skip"][:, None, None, :, None]
    normed = rms_norm(y.flatten(-2) * F.silu(z), weights["gate_norm"], G)
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
    `b`, `c` `(P, B, T, G, N)`. Returns `(P, B, T, H, K)`. The state starts at zero.
    """
    P, B, T, _, K = x.shape
    grouped = (P, B, T, b.shape[3], -1)
    return _scan(x.reshape(*grouped, K), decay.reshape(grouped), b, c, chunk).view(x.shape)


def _scan(x: Tensor, decay: Tensor, b: Tensor, c: Tensor, chunk: int) -> Tensor:
    """The same for `x` `(P, B, T, G, J, K)` and `decay` `(P, B, T, G, J)`."""
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
            y = y + torch.einsum("pbtgn,pbgjkn,pbtgj->pbtgjk", c_c, state, total.exp())
        to_end = (total[:, :, -1:] - total).exp()
        added = torch.einsum("pbtgn,pbtgjk,pbtgj->pbgjkn", b_c, x_c, to_end)
        state = added if state is None else state * total[:, :, -1].exp()[..., None, None] + added
        outputs.append(y)
    return torch.cat(outputs, dim=2)


def _within_chunk(x: Tensor, decay: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """`(L * C B^T) X` over one chunk, from a zero state; shapes as in `_scan`."""
    total = running_sum(decay).movedim(2, -1)  # (P, B, G, J, T)
    # Masked before exp: above the diagonal the difference is positive and may overflow.
    log_mask = total[..., :, None] - total[..., None, :] + causal_mask(x.shape[2], x.device)
    match = c.transpose(2, 3) @ b.permute(0, 1, 3, 4, 2)  # (P, B, G, T, T)
    weight = log_mask.exp() * match[:, :, :, None]
    return (weight @ x.movedim(2, -2)).movedim(-2, 2)


def running_sum(x: Tensor) -> Tensor:
    """Over positions; where torch's own is not deterministic, on a GPU, by doubling the reach.

    Shapes: `(P, B, T, ...)` to the same.
    """
    return sum_by_doubling(x) if x.is_cuda else x.cumsum(2)


def sum_by_doubling(x: Tensor) -> Tensor:
    """Running sums over positions in log2(T) additions (Hillis & Steele 1986)."""
    reach, T = 1, x.shape[2]
    before = (0, 0) * (x.dim() - 3)
    while reach < T:
        x = x + F.pad(x[:, :, : T - reach], (*before, reach, 0))
        reach *= 2
    return x


def recurrent_scan(x: Tensor, decay: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """What `scan_in_chunks` computes, one position after the other; the reference."""
    H, G, N = x.shape[3], *b.shape[3:]
    b, c = (part.repeat_interleave(H // G, dim=3) for part in (b, c))
    state = torch.zeros(*x.shape[:2], *x.shape[3:], N, dtype=x.dtype, device=x.device)
    outputs = []
    for t in range(x.shape[2]):
        update = x[:, :, t, :, :, None] * b[:, :, t, :, None]
        state = state * decay[:, :, t].exp()[..., None, None] + update
        outputs.append((state * c[:, :, t, :, None]).sum(-1))
    return torch.stack(outputs, dim=2)
