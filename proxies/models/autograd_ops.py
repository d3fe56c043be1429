"""Norm, causal convolution and other small operations with their gradients written out.

At width 32 a layer's arithmetic takes microseconds and each autograd node costs as much again, so
operations that the library composes from many are one node each here, with the few tensor
operations that the formulas need. Checked against the library's forms and by finite differences.

Shapes: P models, B sequences, T positions, D or C channels, W taps.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def rms_normalize(x_PBTD: Tensor, eps: float = 1e-5) -> tuple[Tensor, Tensor]:
    """`x` over its root mean square, and the factor `(P, B, T, 1)` that made it so."""
    size = torch.linalg.vector_norm(x_PBTD, dim=-1, keepdim=True)
    scale = size.square_().div_(x_PBTD.shape[-1]).add_(eps).rsqrt_()
    return x_PBTD * scale, scale


def rms_normalize_backward(grad: Tensor, normed: Tensor, scale: Tensor) -> Tensor:
    """Gradient of `x`, written over that of its norm."""
    inner = (normed * grad).mean(-1, keepdim=True)
    return grad.addcmul_(normed, inner, value=-1).mul_(scale)


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_PBTD: Tensor, weight_PD: Tensor, eps: float) -> Tensor:
        normed, scale = rms_normalize(x_PBTD, eps)
        ctx.save_for_backward(normed, scale, weight_PD)
        weighted: Tensor = normed * weight_PD[:, None, None]
        return weighted

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        normed, scale, weight_PD = ctx.saved_tensors
        grad_weight = (grad * normed).sum((1, 2))
        grad_x = rms_normalize_backward(grad * weight_PD[:, None, None], normed, scale)
        return grad_x, grad_weight, None


def rms_norm(x_PBTD: Tensor, weight_PD: Tensor, eps: float = 1e-5) -> Tensor:
    """Root-mean-square norm over D (Zhang & Sennrich 2019, eq. 4), a weight for each model."""
    result: Tensor = _RmsNorm.apply(x_PBTD, weight_PD, eps)  # type: ignore[no-untyped-call]
    return result


def causal_conv(x_PBTC: Tensor, weight_PCW: Tensor, bias_PC: Tensor) -> Tensor:
    """Depthwise convolution over the last W positions; the last tap weighs the present one."""
    T, taps = x_PBTC.shape[2], _taps(weight_PCW)
    mixed = torch.addcmul(bias_PC[:, None, None], x_PBTC, taps[0])
    for lag in range(1, min(T, len(taps))):
        mixed[:, :, lag:].addcmul_(x_PBTC[:, :, : T - lag], taps[lag])
    return mixed


def causal_conv_backward(
    grad: Tensor, x_PBTC: Tensor, weight_PCW: Tensor, grad_x: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of weight and bias; that of `x` is written into `grad_x`."""
    T, taps = x_PBTC.shape[2], _taps(weight_PCW)
    torch.mul(grad, taps[0], out=grad_x)
    grad_taps = [(grad * x_PBTC).sum((1, 2))]
    for lag in range(1, len(taps)):
        late, early = grad[:, :, lag:], slice(0, max(0, T - lag))
        grad_x[:, :, early].addcmul_(late, taps[lag])
        grad_taps.append((late * x_PBTC[:, :, early]).sum((1, 2)))
    return torch.stack(grad_taps[::-1], -1), grad.sum((1, 2))


def _taps(weight_PCW: Tensor) -> tuple[Tensor, ...]:
    """W times `(P, 1, 1, C)`, the present position's first.

    Contiguous: to multiply by strided ones takes five times as long.
    """
    return weight_PCW.permute(2, 0, 1)[:, :, None, None].contiguous().unbind()[::-1]


class _CausalConvSilu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_PBTC: Tensor, weight_PCW: Tensor, bias_PC: Tensor) -> Tensor:
        mixed = causal_conv(x_PBTC, weight_PCW, bias_PC)
        ctx.save_for_backward(x_PBTC, mixed, weight_PCW)
        return F.silu(mixed)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x_PBTC, mixed, weight_PCW = ctx.saved_tensors
        grad_mixed = torch.ops.aten.silu_backward(grad, mixed)
        grad_x = torch.empty_like(mixed)
        return grad_x, *causal_conv_backward(grad_mixed, x_PBTC, weight_PCW, grad_x)


def causal_conv_silu(x_PBTC: Tensor, weight_PCW: Tensor, bias_PC: Tensor) -> Tensor:
    """SiLU of a depthwise convolution over the last W positions: `(P, B, T, C)` to the same.

    The last tap weighs the present position, as in Mamba's convolution.
    """
    result: Tensor = _CausalConvSilu.apply(  # type: ignore[no-untyped-call]
        x_PBTC, weight_PCW, bias_PC
    )
    return result


class _Permuted(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, there_P: Tensor, back_P: Tensor) -> Tensor:
        ctx.save_for_backward(back_P)
        return x.index_select(0, there_P)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (back_P,) = ctx.saved_tensors
        return grad.index_select(0, back_P), None, None


def permute(x: Tensor, there_P: Tensor, back_P: Tensor) -> Tensor:
    """`x` with its first axis in the order `there_P`, a permutation whose inverse is `back_P`.

    The library's gradient of a selection adds into zeros; that of a permutation is one too.
    """
    result: Tensor = _Permuted.apply(x, there_P, back_P)  # type: ignore[no-untyped-call]
    return result
