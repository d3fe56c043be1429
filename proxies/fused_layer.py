"""A whole layer - norm, projections, what lies between, residual - as one operation.

    y = x + core(norm(x) W_in) W_out

At the sizes of a search on a CPU, memory and the number of operations are what a training takes its
time for. So the forward pass keeps no more than projections and what is dear to compute again, and
the backward pass writes where it has just read. Each kind of layer brings its `Core`; the composed
forms in `attention.py`, `mlp.py` and `mamba2.py` serve all other sizes and devices, and are what
these are tested against.

Shapes: P models, B sequences, T positions, D width, F projected columns, E columns of the core.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nasarena.proxies.fused import normalized, normalized_backward


class Core(Protocol):
    """What stands between the two projections of a layer; `weights` are those it names."""

    @property
    def weight_names(self) -> tuple[str, ...]:
        """Names of its weights among the layer's."""

    def forward(
        self, projected: Tensor, weights: Sequence[Tensor]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """From `(P, B, T, F)` to `(P, B, T, E)`, and what `backward` is to be given of it."""

    def backward(
        self,
        grad: Tensor,
        projected: Tensor,
        weights: Sequence[Tensor],
        kept: Sequence[Tensor],
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """The output once more, and the gradients of `projected` and `weights`.

        `grad` may be written over.
        """


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, core: Core, x: Tensor, in_proj: Tensor, out_proj: Tensor, *weights: Tensor
    ) -> Tensor:
        normed, scale = normalized(x)
        projected = torch.bmm(normed.flatten(1, 2), in_proj).view(*x.shape[:3], -1)
        out, kept = core.forward(projected, weights)
        ctx.core, ctx.num_weights = core, len(weights)
        ctx.save_for_backward(normed, scale, in_proj, out_proj, projected, *weights, *kept)
        return torch.baddbmm(x.flatten(1, 2), out.flatten(1, 2), out_proj).view(x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        normed, scale, in_proj, out_proj, projected, *rest = ctx.saved_tensors
        weights, kept = rest[: ctx.num_weights], rest[ctx.num_weights :]
        grad_PND = grad.flatten(1, 2)
        grad_core = torch.bmm(grad_PND, out_proj.mT).view(*grad.shape[:3], -1)
        out, grad_projected, grad_weights = ctx.core.backward(grad_core, projected, weights, kept)
        grad_out_proj = torch.bmm(out.flatten(1, 2).mT, grad_PND)
        grad_projected = grad_projected.flatten(1, 2)
        grad_in_proj = torch.bmm(normed.flatten(1, 2).mT, grad_projected)
        grad_normed = torch.bmm(grad_projected, in_proj.mT).view(grad.shape)
        grad_x = normalized_backward(grad_normed, normed, scale).add_(grad)
        return None, grad_x, grad_in_proj, grad_out_proj, *grad_weights


def fused_layer(core: Core, x_PBTD: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """`x` plus the update of a layer of these `weights`, stacked over P as the composed form has.

    The weight of a norm is that of the rows of the projection behind it: of `in_proj` `(P, D, F)`
    for `norm` `(P, D)`, of `out_proj` `(P, E, D)` for Mamba-2's `gate_norm` `(P, E)`.
    """
    in_proj, out_proj = weights["in_proj"] * weights["norm"][:, :, None], weights["out_proj"]
    if "gate_norm" in weights:
        out_proj = out_proj * weights["gate_norm"][:, :, None]
    own = [weights[name] for name in core.weight_names]
    result: Tensor = _Layer.apply(core, x_PBTD, in_proj, out_proj, *own)  # type: ignore[no-untyped-call]
    return result
