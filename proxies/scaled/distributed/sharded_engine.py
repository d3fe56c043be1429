"""A model in training that is sharded over processes: FSDP2 (`fully_shard`), a layer a group.

A process holds its part of every weight, gradient and moment, and computes its part of a batch. The
loss is the sum over the counted targets of all, divided by their number, so that it does not
depend on how many processes share a step (up to rounding).

A batch is cut into as many equal parts as there are processes. Where it does not divide, sequences
that count nothing fill the last ones up.
"""

from collections.abc import Mapping
from typing import cast

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from nasarena.proxies.data.task import IGNORE, Batch
from nasarena.proxies.scaled.distributed.ranks import Ranks
from nasarena.proxies.scaled.initial_weights import initial_weight
from nasarena.proxies.scaled.model import ScaledModel, empty_model
from nasarena.proxies.scaled.scaled_settings import ScaledSettings
from nasarena.proxies.scaled.shape import ScaledShape
from nasarena.proxies.scaled.torch_engine import TorchState
from nasarena.proxies.training.devices import Precision, autocast


class ShardedState(TorchState):
    """As `TorchState`; every method is called by all processes together."""

    def __init__(
        self, model: ScaledModel, settings: ScaledSettings, ranks: Ranks,
        device: torch.device, precision: Precision,
    ) -> None:  # fmt: skip
        super().__init__(model, settings, device, precision)
        self._ranks = ranks

    def _clip(self) -> float:
        parameters = self.model.parameters()
        norm = torch.nn.utils.clip_grad_norm_(parameters, self._settings.max_norm)
        return float(norm.full_tensor() if isinstance(norm, DTensor) else norm)

    def _accumulate(self, batch: Batch) -> float:
        counted = max(1, _num_targets(batch))
        total = torch.zeros((), device=self._device)
        for inputs, targets in self._parts(share_of(batch, self._ranks)):
            loss = self._summed_loss(inputs, targets) / counted
            torch.autograd.backward(loss * self._ranks.size)  # FSDP takes the mean over processes
            total += loss.detach()
        dist.all_reduce(total)
        return float(total)

    @torch.no_grad()
    def evaluate(self, batch: Batch) -> float:
        total = torch.zeros((), device=self._device)
        for inputs, targets in self._parts(share_of(batch, self._ranks)):
            total += self._summed_loss(inputs, targets)
        cast(FSDPModule, self.model).reshard()  # which else the next backward pass does
        dist.all_reduce(total)
        return float(total) / max(1, _num_targets(batch))

    def _summed_loss(self, inputs_BT: Tensor, targets_BT: Tensor) -> Tensor:
        """Nats over all counted targets, a scalar; 0 where none counts."""
        with autocast(self._device, self._precision):
            logits_BTV = self.model(inputs_BT)
        return F.cross_entropy(
            logits_BTV.flatten(0, 1).float(), targets_BT.flatten(),
            ignore_index=IGNORE, reduction="sum",
        )  # fmt: skip

    def whole_weights(self) -> dict[str, Tensor]:
        """Gathered on rank 0, on the CPU; the other ranks get none."""
        found: dict[str, Tensor] = {}
        for name, tensor in self.weights().items():
            whole = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
            if self._ranks.rank == 0:
                found[name] = whole.cpu()
        return found

    @torch.no_grad()
    def restore(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """`tensors` are whole, or the parts of this process."""
        parts = {name: _part(tensors[name], own) for name, own in self.tensors().items()}
        super().restore(step, parts)


def build_shards(
    pattern: str,
    shape: ScaledShape,
    settings: ScaledSettings,
    seed: int,
    ranks: Ranks,
    device: torch.device,
    precision: Precision,
) -> ShardedState:
    """The model of `build_model` in parts; no process ever holds more than one whole tensor."""
    mesh = init_device_mesh(device.type, (ranks.size,))
    model = empty_model(pattern, shape)
    for layer in model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    model.to_empty(device=device)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            whole = initial_weight(name, tensor.shape, seed, pattern, shape.embedding_std)
            tensor.copy_(_part(whole, tensor))
    return ShardedState(model, settings, ranks, device, precision)


def share_of(batch: Batch, ranks: Ranks) -> Batch:
    """The sequences of one process: as many on each, those beyond the batch count nothing."""
    per_rank = -(-len(batch.inputs) // ranks.size)
    missing = per_rank * ranks.size - len(batch.inputs)
    inputs = np.concatenate([batch.inputs, np.repeat(batch.inputs[:1], missing, axis=0)])
    nothing = np.full((missing, *batch.targets.shape[1:]), IGNORE, batch.targets.dtype)
    own = slice(ranks.rank * per_rank, (ranks.rank + 1) * per_rank)
    return Batch(inputs[own], np.concatenate([batch.targets, nothing])[own])


def _num_targets(batch: Batch) -> int:
    return int((batch.targets != IGNORE).sum())


def _part(tensor: Tensor, like: Tensor) -> Tensor:
    """The part of a whole tensor that this process has of `like`, without a message to others."""
    if isinstance(tensor, DTensor) or not isinstance(like, DTensor):
        return tensor
    whole = tensor.to(like.device)
    return distribute_tensor(whole, like.device_mesh, like.placements, src_data_rank=None)
