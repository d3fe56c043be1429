"""Members of a population in another order.

The library's gradient of a selection adds into zeros, which in deterministic mode waits for a GPU
to check the indices and so cannot be captured; that of a permutation is the permutation back.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _Permutation(torch.autograd.Function):
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
    """`x` with its first axis in the order `there_P`, a permutation whose inverse is `back_P`."""
    permutation: Any = _Permutation  # torch before 2.14 does not type `apply`
    result: Tensor = permutation.apply(x, there_P, back_P)
    return result
