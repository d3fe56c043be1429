"""Causal attention between its projections, head by head on slices of the projected columns.

A product of matrices takes slices as they are, so that nothing is copied into an order of heads.

Shapes: P models, B sequences, T positions, H heads, K head width, D = H K, J = K / 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
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
            torch.baddbmm(mask, query, key.mT, out=score)
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
        for of_head, own, value in zip(grad_shares, grads, values, strict=True):
            torch.bmm(own, value.mT, out=of_head)
        grad_scores = torch.ops.aten._softmax_backward_data(grad_shares, shares, -1, shares.dtype)
        parts = [torch.bmm(score, key) for score, key in zip(grad_scores, keys, strict=True)]
        parts += [torch.bmm(s.mT, query) for s, query in zip(grad_scores, queries, strict=True)]
        parts += [torch.bmm(share.mT, own) for share, own in zip(shares, grads, strict=True)]
        grad_projected = torch.cat(parts, -1).view(projected.shape)
        pairs, table = self._pairs(grad_projected)
        pairs.mul_(table.conj())
        return out, grad_projected, ()

    def _heads(self, projected: Tensor) -> list[tuple[Tensor, ...]]:
        """Queries, keys and values of each head, `(P B, T, K)`; the first two turned."""
        pairs, table = self._pairs(projected)
        query, key = torch.view_as_real(pairs * table).flatten(0, 1).flatten(2).chunk(2, -1)
        value = projected.flatten(0, 1).chunk(3, -1)[2]
        return [part.chunk(self.num_heads, -1) for part in (query, key, value)]

    def _pairs(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        """Queries and keys as complex numbers `(P, B, T, D)`, and what to multiply them by."""
        T, D = projected.shape[2], projected.shape[3] // 3
        pairs = torch.view_as_complex(projected.view(*projected.shape[:3], -1, 2))[..., :D]
        K = D // self.num_heads
        return pairs, _turns(T, K, 2 * self.num_heads, self.rotary, pairs.device, pairs.dtype)


@lru_cache(maxsize=16)
def _turns(
    length: int,
    head_width: int,
    repeats: int,
    rotary: bool,
    device: torch.device,
    dtype: torch.dtype,
) -> Tensor:
    """Positions as turns, times K^-1/4 for the scale of a score, for all heads in a row: `(T, D)`.

    In a row, for the product is slow where its innermost axis is short.
    """
    if rotary:
        turns = rotary_table(length, head_width, device).repeat(1, repeats)
    else:
        turns = torch.ones(length, head_width * repeats // 2, device=device)
    scaled: Tensor = turns.to(dtype) * head_width**-0.25
    return scaled
