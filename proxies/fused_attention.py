"""Causal attention between its projections, head by head on slices of the projected columns.

A product of matrices takes slices as they are, so that nothing is copied into an order of heads.

Shapes: P models, B sequences, T positions, H heads, K head width, D = H K, J = K / 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nasarena.proxies.attention import causal_mask, rotary_table


@dataclass(frozen=True, slots=True)
class AttentionCore:
    """`Core` of an attention layer; no weights of its own."""

    num_heads: int
    rotary: bool
    weight_names: ClassVar = ()

    def forward(
        self, projected: Tensor, weights: Sequence[Tensor]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        queries, keys, values = self._heads(projected)
        T = projected.shape[2]
        scores = projected.new_empty(self.num_heads, len(values[0]), T, T)
        mask = causal_mask(T, projected.device).to(projected.dtype)
        for score, query, key in zip(scores, queries, keys, strict=True):
            torch.baddbmm(mask, query, key.mT, alpha=query.shape[-1] ** -0.5, out=score)
        shares = scores.softmax(-1)
        mixed = [torch.bmm(share, value) for share, value in zip(shares, values, strict=True)]
        out = torch.cat(mixed, -1).view(*projected.shape[:3], -1)
        return out, (shares, out)

    def backward(
        self, grad: Tensor, projected: Tensor, weights: Sequence[Tensor], kept: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        shares, out = kept
        queries, keys, values = self._heads(projected)
        grads = grad.flatten(0, 1).chunk(self.num_heads, -1)
        grad_shares = torch.empty_like(shares)
        for of_head, grad_head, value in zip(grad_shares, grads, values, strict=True):
            torch.bmm(grad_head, value.mT, out=of_head)
        grad_scores = torch.ops.aten._softmax_backward_data(grad_shares, shares, -1, shares.dtype)
        grad_scores.mul_(values[0].shape[-1] ** -0.5)
        parts = [torch.bmm(score, key) for score, key in zip(grad_scores, keys, strict=True)]
        parts += [torch.bmm(s.mT, query) for s, query in zip(grad_scores, queries, strict=True)]
        parts += [torch.bmm(share.mT, own) for share, own in zip(shares, grads, strict=True)]
        grad_projected = torch.cat(parts, -1).view(projected.shape)
        if self.rotary:
            pairs, table = self._pairs(grad_projected)
            pairs.mul_(table.conj())
        return out, grad_projected, ()

    def _heads(self, projected: Tensor) -> list[tuple[Tensor, ...]]:
        """Queries, keys and values of each head, `(P B, T, K)`; the first two turned."""
        query, key, value = projected.flatten(0, 1).chunk(3, -1)
        if self.rotary:
            pairs, table = self._pairs(projected)
            query, key = torch.view_as_real(pairs * table).flatten(0, 1).flatten(2).chunk(2, -1)
        return [part.chunk(self.num_heads, -1) for part in (query, key, value)]

    def _pairs(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        """Queries and keys as complex numbers `(P, B, T, 2 H, J)`, and the table that turns them."""
        D = projected.shape[-1] // 3
        K = D // self.num_heads
        pairs = projected[..., : 2 * D].unflatten(-1, (2 * self.num_heads, K // 2, 2))
        table_TJ = rotary_table(projected.shape[2], K, projected.device)
        pairs_PBTHJ = torch.view_as_complex(pairs)
        return pairs_PBTHJ, table_TJ[:, None].to(pairs_PBTHJ.dtype)
