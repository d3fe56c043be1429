"""Norm and causal convolution with their gradients written out.

At width 32 a layer's arithmetic takes microseconds and each autograd node costs as much again, so
the two operations that the library composes from many are one node each here, with the few tensor
operations that the formulas need. Checked against the library's forms and by finite differences.

Shapes: P models, B sequences, T positions, D or C channels, W taps.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_PBTD: Tensor, weight_PD: Tensor, eps: float) -> Tensor:
        size = torch.linalg.vector_norm(x_PBTD, dim=-1, keepdim=True)
        scale = size.square_().div_(x_PBTD.shape[-1]).add_(eps).rsqrt_()
        normed = x_PBTD * scale
        ctx.save_for_backward(normed, scale, weight_PD)
        weighted: Tensor = normed * weight_PD[:, None, None]
        return weighted

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        normed, scale, weight_PD = ctx.saved_tensors
        along = grad * normed
        grad_weight = along.sum((1, 2))
        grad_normed = grad * weight_PD[:, None, None]
        inner = (normed * grad_normed).mean(-1, keepdim=True)
        grad_x = grad_normed.addcmul_(normed, inner, value=-1).mul_(scale)
        return grad_x, grad_weight, None


def rms_norm(x_PBTD: Tensor, weight_PD: Tensor, eps: float = 1e-5) -> Tensor:
    """Root-mean-square norm over D (Zhang & Sennrich 2019, eq. 4), a weight for each model."""
    result: Tensor = _RmsNorm.apply(x_PBTD, weight_PD, eps)  # type: ignore[no-untyped-call]
    return result


class _CausalConvSilu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_PBTC: Tensor, weight_PCW: Tensor, bias_PC: Tensor) -> Tensor:
        T, W = x_PBTC.shape[2], weight_PCW.shape[-1]
        padded = F.pad(x_PBTC, (0, 0, W - 1, 0))
        taps = weight_PCW[:, None, None].unbind(-1)  # W times (P, 1, 1, C)
        mixed = torch.addcmul(bias_PC[:, None, None], padded[:, :, :T], taps[0])
        for tap in range(1, W):
            mixed.addcmul_(padded[:, :, tap : tap + T], taps[tap])
        ctx.save_for_backward(padded, mixed, weight_PCW)
        return F.silu(mixed)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        padded, mixed, weight_PCW = ctx.saved_tensors
        T, W = mixed.shape[2], weight_PCW.shape[-1]
        grad_mixed = torch.ops.aten.silu_backward(grad, mixed)
        taps = weight_PCW[:, None, None].unbind(-1)
        grad_padded = torch.zeros_like(padded)
        grad_taps = []
        for tap in range(W):
            seen = slice(tap, tap + T)
            grad_padded[:, :, seen].addcmul_(grad_mixed, taps[tap])
            grad_taps.append((grad_mixed * padded[:, :, seen]).sum((1, 2)))
        return grad_padded[:, :, W - 1 :], torch.stack(grad_taps, -1), grad_mixed.sum((1, 2))


def causal_conv_silu(x_PBTC: Tensor, weight_PCW: Tensor, bias_PC: Tensor) -> Tensor:
    """SiLU of a depthwise convolution over the last W positions: `(P, B, T, C)` to the same.

    The last tap weighs the present position, as in Mamba's convolution.
    """
    result: Tensor = _CausalConvSilu.apply(  # type: ignore[no-untyped-call]
        x_PBTC, weight_PCW, bias_PC
    )
    return result
