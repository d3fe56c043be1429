"""The inside of a Mamba-2 layer, between its projections, with its gradient written out.

Convolution, scan, gate and norm over one chunk, on a CPU. The masked matrix of state space duality
(Dao & Gu 2024) takes up all that is linear in x: the step size, as its logarithm in the exponent,
and the skip, on the diagonal:

    y_t = sum over s <= t of W_ts x_s,   W_ts = exp(l_t - l_s + log dt_s) (C_t . B_s) + [t = s] D

with `l` the running sum of dt A. So nothing but W meets x, and one matrix of gradients,
`G = dW * (W - D)`, gives those of `l` (its sums over rows less those over columns) and of log dt
(over columns). Powers are of 2, which is several times faster than of e here.

Shapes: P models, B sequences, T positions, H heads, K head width, N state, E = H K inner width,
C = E + 2 N convolved channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import e, log2
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from nasarena.proxies.attention import causal_mask
from nasarena.proxies.fused import (
    convolved,
    convolved_backward,
    normalized,
    normalized_backward,
)


@dataclass(frozen=True, slots=True)
class Mamba2Core:
    """`Core` of a Mamba-2 layer.

    The norm's own weight is that of the columns of the output projection.
    """

    inner: int
    num_heads: int
    weight_names: ClassVar = ("conv", "conv_bias", "dt_bias", "a_log", "skip")

    def forward(
        self, projected: Tensor, weights: Sequence[Tensor]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        conv, conv_bias, dt_bias, a_log, skip = weights
        z, convolvable, dt = self._columns(projected)
        mixed = convolved(convolvable, conv, conv_bias)
        x, b, c = self._parts(F.silu(mixed))
        match = torch.bmm(c, b.mT)
        decay = _decays(_step_sizes(dt, dt_bias), -a_log.exp().T)
        matrix = _matrix(decay, match, skip)
        heads = zip(matrix.flatten(1, 2), x.chunk(self.num_heads, -1), strict=True)
        y = torch.cat([torch.bmm(of_head, x_head) for of_head, x_head in heads], -1).view(z.shape)
        normed, scale = normalized(y * F.silu(z))
        return normed, (mixed, match, decay, y, scale)

    def backward(
        self, grad: Tensor, projected: Tensor, weights: Sequence[Tensor], kept: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        conv, _, dt_bias, a_log, skip = weights
        mixed, match, decay, y, scale = kept
        grad_projected = torch.empty_like(projected)
        z, convolvable, dt = self._columns(projected)
        grad_z, grad_convolvable, grad_dt = self._columns(grad_projected)

        gate = F.silu(z)
        out = (y * gate).mul_(scale)
        grad_gated = normalized_backward(grad, out, scale)
        grad_y = gate.mul_(grad_gated).flatten(0, 1).chunk(self.num_heads, -1)
        torch.ops.aten.silu_backward.grad_input(grad_gated.mul_(y), z, grad_input=grad_z)

        x, b, c = self._parts(F.silu(mixed))
        matrix = _matrix(decay, match, skip).flatten(1, 2)
        grad_parts = [
            torch.bmm(of_head.mT, own) for of_head, own in zip(matrix, grad_y, strict=True)
        ]
        grad_matrix = matrix.view(decay.shape)  # no longer needed, so its place is free
        for own, x_head, place in zip(grad_y, x.chunk(self.num_heads, -1), matrix, strict=True):
            torch.bmm(own, x_head.mT, out=place)
        grad_skip = grad_matrix.diagonal(dim1=-2, dim2=-1).sum((2, 3)).T
        grad_match = grad_matrix.mul_(decay).sum(0).flatten(0, 1)
        # The other way round and turned back: narrow results cost three times as much as low ones.
        grad_parts += [torch.bmm(c.mT, grad_match).mT, torch.bmm(b.mT, grad_match.mT).mT]
        grad_mixed = torch.cat(grad_parts, -1).view(mixed.shape)
        torch.ops.aten.silu_backward.grad_input(grad_mixed, mixed, grad_input=grad_mixed)
        grad_conv, grad_bias = convolved_backward(grad_mixed, convolvable, conv, grad_convolvable)

        grad_matrix.mul_(match.view(decay.shape[1:]))
        grad_raw, grad_a_log = _step_gradients(
            grad_matrix.sum(-1), grad_matrix.sum(-2), dt, dt_bias, a_log
        )
        grad_dt.copy_(grad_raw.permute(1, 2, 3, 0))
        grad_dt_bias = grad_raw.sum((2, 3)).T
        grads = (grad_conv, grad_bias, grad_dt_bias, grad_a_log, grad_skip)
        return out, grad_projected, grads

    def _columns(self, projected: Tensor) -> tuple[Tensor, ...]:
        """z, what is convolved, and dt."""
        convolved_columns = projected.shape[-1] - self.inner - self.num_heads
        widths = [self.inner, convolved_columns, self.num_heads]
        return projected.split_with_sizes(widths, dim=-1)

    def _parts(self, active: Tensor) -> tuple[Tensor, ...]:
        """x, B and C of what the convolution gave, each `(P B, T, columns)`."""
        state = (active.shape[-1] - self.inner) // 2
        return active.flatten(0, 1).split_with_sizes([self.inner, state, state], dim=-1)


def _step_sizes(dt: Tensor, dt_bias: Tensor) -> Tensor:
    """dt as `(H, P, B, T)`, above zero: its logarithm is taken."""
    raw = (dt + dt_bias[:, None, None]).permute(3, 0, 1, 2).contiguous()
    return F.softplus(raw).clamp_(min=torch.finfo(raw.dtype).tiny)


def _decays(dt_HPBT: Tensor, rate_HP: Tensor) -> Tensor:
    """`exp(l_t - l_s) dt_s` where s <= t, else 0: `(H, P, B, T, T)`."""
    total = (dt_HPBT * (rate_HP * log2(e))[:, :, None, None]).cumsum(-1)
    exponent = total[..., :, None] - total[..., None, :]
    # Masked before the power: above the diagonal the difference is positive and may overflow.
    exponent.add_(causal_mask(total.shape[-1], total.device))
    return exponent.add_(dt_HPBT.log2()[..., None, :]).exp2_()


def _matrix(decay: Tensor, match: Tensor, skip: Tensor) -> Tensor:
    """W, `(H, P, B, T, T)`, of `match` = C B^T, `(P B, T, T)`."""
    matrix = decay * match.view(decay.shape[1:])
    matrix.diagonal(dim1=-2, dim2=-1).add_(skip.T[:, :, None, None])
    return matrix


def _step_gradients(
    rows: Tensor, columns: Tensor, dt: Tensor, dt_bias: Tensor, a_log: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of dt before its softplus, `(H, P, B, T)`, and of `a_log`, from sums over G."""
    step, rate_HP = _step_sizes(dt, dt_bias), -a_log.exp().T
    grad_decay = rows.sub_(columns).flip(-1).cumsum(-1).flip(-1)
    grad_rate = (grad_decay * step).sum((2, 3))
    slope = (dt + dt_bias[:, None, None]).sigmoid_().permute(3, 0, 1, 2)
    grad_step = columns.div_(step).addcmul_(grad_decay, rate_HP[:, :, None, None])
    return grad_step.mul_(slope), grad_rate.mul_(rate_HP).T
