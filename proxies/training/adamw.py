"""AdamW (Loshchilov & Hutter 2019) on a population's one flat vector of weights.

Each model's gradient is clipped by its own norm. Nothing here depends on values that the device
has yet to compute, but for one shortcut on a CPU, so a step can be captured as a CUDA graph.

Shapes: P models.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from nasarena.proxies.models.population import Population

_EPS = 1e-8
_MAY_LOOK = frozenset({"cpu"})  # devices on which to look at a value makes nobody wait


class FlatAdamW:
    """One optimizer for all models; moments and norms lie as flat as the weights."""

    def __init__(
        self, population: Population, betas: tuple[float, float], weight_decay: float, clip: float
    ) -> None:
        self._population, self._clip_at = population, clip
        weights = population.padded
        self._first, self._second = torch.zeros_like(weights), torch.zeros_like(weights)
        self._gradient = torch.zeros_like(weights)
        leaves = population.leaves
        sizes = [leaf.numel() for leaf in leaves]
        flat = self._gradient[: sum(sizes)]
        self._parts = [
            part.view_as(leaf) for part, leaf in zip(torch.split(flat, sizes), leaves, strict=True)
        ]
        self._rows = torch.cat(population.members)  # the models of all leaves' rows
        self._norms = weights.new_zeros(len(self._rows))
        self._norms_of = torch.split(self._norms, [len(leaf) for leaf in leaves])
        self._shrink = weight_decay * population.decays if weight_decay else None
        self._count = weights.new_zeros(())
        self._update = torch.optim.AdamW(
            [weights],
            betas=betas,
            eps=_EPS,
            weight_decay=0.0,  # only some of the weights decay
            fused=True,
            capturable=weights.is_cuda,
        )
        self._update.state[weights] = {
            "step": self._count,
            "exp_avg": self._first,
            "exp_avg_sq": self._second,
        }
        weights.grad = self._gradient

    def state(self, num_steps: int) -> list[Tensor]:
        """Weights and moments after `num_steps`, each as long as `population.owner`, to be read
        or written."""
        self._count.fill_(num_steps)
        size = len(self._population.flat)
        return [self._population.flat, self._first[:size], self._second[:size]]

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], rate: float | Tensor, alive_P: Tensor) -> None:
        """One update; the gradients of models that are not alive count as zero."""
        self._clip(gradients, alive_P)
        if self._shrink is not None:
            self._population.flat.mul_(1 - rate * self._shrink)
        self._update.param_groups[0]["lr"] = rate
        self._update.step()

    def _clip(self, gradients: Sequence[Tensor], alive_P: Tensor) -> None:
        """Fill `_gradient`, each model's part scaled by its own norm, of dead ones with zeros."""
        for part, norms in zip(gradients, self._norms_of, strict=True):
            torch.linalg.vector_norm(part.flatten(1), dim=1, out=norms)
        squares_P = torch.zeros(len(alive_P), device=alive_P.device)
        squares_P.index_add_(0, self._rows, self._norms.square())
        scale_P = (self._clip_at / (squares_P.sqrt() + 1e-6)).clamp(max=1.0)
        scales = torch.split(scale_P.index_select(0, self._rows), [len(part) for part in gradients])
        for part, scale, own in zip(gradients, scales, self._parts, strict=True):
            torch.mul(part, scale.view(-1, *[1] * (part.dim() - 1)), out=own)
        is_sure = alive_P.device.type in _MAY_LOOK and bool(alive_P.all())
        if not is_sure:  # nan times zero is nan
            own_flat = self._gradient[: len(self._population.flat)]
            own_flat.masked_fill_(~alive_P[self._population.owner], 0.0)
