"""Mamba-2 as a PyTorch module: all chunks of the scan at once, or its authors' kernels on a GPU.

The formulas are those of the proxies' layer (`models/mamba2.py`, which explains them); its scan
goes chunk by chunk, which for short sequences is best. Here all chunks are one batched product, and
only the states between them are added up one after the other.

Shapes: B sequences, T positions, D width, H heads, K head width, N state, E = H K inner width, G
groups of J = H / G heads that share B and C; C chunks of L positions.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasarena.proxies.models.attention import causal_mask
from nasarena.proxies.models.mamba2 import CHUNK, causal_conv
from nasarena.proxies.models.triton_scan import has_triton_scan, scan_population
from nasarena.proxies.scaled.shape import ScaledShape


class Mamba2(nn.Module):
    """One layer, without norm and residual.

    Columns of `in_proj` are z, x, B, C and dt. The gated norm is over the channels of a group.
    """

    def __init__(self, shape: ScaledShape) -> None:
        super().__init__()
        H, E = shape.mamba_heads, shape.mamba_inner
        channels = shape.mamba_conv_channels
        self._shape = shape
        self.in_proj = nn.Linear(shape.width, shape.mamba_projection, bias=False)
        self.conv = nn.Parameter(torch.empty(channels, shape.mamba_conv))
        self.conv_bias = nn.Parameter(torch.empty(channels))
        self.dt_bias = nn.Parameter(torch.empty(H))
        self.a_log = nn.Parameter(torch.empty(H))
        self.skip = nn.Parameter(torch.empty(H))
        self.gate_norm = nn.Parameter(torch.empty(E))
        self.out_proj = nn.Linear(E, shape.width, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """`(B, T, D)` to the same."""
        B, T, _ = x_BTD.shape
        shape, H, G = self._shape, self._shape.mamba_heads, self._shape.mamba_groups
        E, GN = shape.mamba_inner, G * shape.mamba_state
        z, xbc, dt = torch.split(self.in_proj(x_BTD), [E, shape.mamba_conv_channels, H], dim=-1)
        xbc = F.silu(causal_conv(xbc[None], self.conv[None], self.conv_bias[None])[0])
        x, b, c = torch.split(xbc, [E, GN, GN], dim=-1)
        b, c = (part.reshape(B, T, G, -1) for part in (b, c))
        x_BTHK = x.reshape(B, T, H, -1)
        dt_BTH = F.softplus(dt + self.dt_bias)
        y = _scan(x_BTHK, dt_BTH, -self.a_log.exp(), b, c) + x_BTHK * self.skip[:, None]
        result: Tensor = self.out_proj(self._gated_norm(y.flatten(-2), z))
        return result

    def _gated_norm(self, y_BTE: Tensor, z_BTE: Tensor) -> Tensor:
        gated = (y_BTE * F.silu(z_BTE)).float()
        gated = gated.view(*gated.shape[:-1], self._shape.mamba_groups, -1)
        normed = F.rms_norm(gated, gated.shape[-1:], eps=self._shape.norm_eps)
        return normed.flatten(-2) * self.gate_norm


def _scan(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """`h_t = exp(dt_t a) h_{t-1} + dt_t b_t x_t, y_t = c_t h_t`; `x` `(B, T, H, K)`, `a` `(H,)`."""
    if x.is_cuda and has_triton_scan():
        return scan_population(x[None], dt[None], a[None], b[None], c[None])[0]
    return scan_chunks(x * dt[..., None], dt * a, b, c)


def scan_words(device: torch.device) -> str:
    """What computes the scan on a device, for people to read."""
    on_gpu = device.type == "cuda" and has_triton_scan()
    return "Triton kernels of mamba-ssm" if on_gpu else "chunked matrix products of torch"


def scan_chunks(x: Tensor, decay: Tensor, b: Tensor, c: Tensor, chunk: int = CHUNK) -> Tensor:
    """The scan `h_t = exp(decay_t) h_{t-1} + b_t x_t, y_t = c_t h_t` in chunks of `chunk`.

    `x` `(B, T, H, K)` already holds the factor dt; `decay` `(B, T, H)` is below 0; `b`, `c`
    `(B, T, G, N)`. Returns `(B, T, H, K)`. The state starts at zero. Any length: the last chunk is
    filled up with zeros, which come after all that is asked for.
    """
    (B, T, H, K), (G, N) = x.shape, b.shape[2:]
    L = min(chunk, T)
    C = -(-T // L)
    grouped = [
        F.pad(part.reshape(B, T, -1), (0, 0, 0, C * L - T)).view(B, C, L, G, *inner)
        for part, inner in ((x, (-1, K)), (decay, (-1,)), (b, (N,)), (c, (N,)))
    ]
    x, decay, b, c = grouped
    x = x.movedim(2, -2)  # (B, C, G, J, L, K)
    b, c = (part.movedim(2, -2)[:, :, :, None] for part in (b, c))  # (B, C, G, 1, L, N)
    total = decay.cumsum(2).movedim(2, -1)  # (B, C, G, J, L)
    # Masked before exp: above the diagonal the difference is positive and may overflow.
    log_mask = total[..., :, None] - total[..., None, :] + causal_mask(L, x.device)
    y = (log_mask.exp() * (c @ b.mT)) @ x
    if C > 1:
        to_end = (total[..., -1:] - total).exp()
        added = b.mT @ (x * to_end[..., None])  # (B, C, G, J, N, K)
        before = _states_before(added, total[..., -1].exp())
        y = y + (c @ before) * total.exp()[..., None]
    return y.movedim(-2, 2).reshape(B, C * L, H, K)[:, :T]


def _states_before(added: Tensor, decay: Tensor) -> Tensor:
    """The state before each chunk, from what each adds `(B, C, ...)` and by what it decays."""
    states = [torch.zeros_like(added[:, 0])]
    for chunk in range(added.shape[1] - 1):
        states.append(states[-1] * decay[:, chunk, ..., None, None] + added[:, chunk])
    return torch.stack(states, dim=1)
