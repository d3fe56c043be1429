"""Kept training state: a model that was trained for some steps goes on from there.

A checkpoint is everything a model's next step depends on: its weights, both moments of AdamW, and
the number of steps (data, learning rate and bias correction follow from it). Continued in the same
population a training is bit for bit the training at once; in another one it differs as populations
do, in the last digits. Checkpoints lie in the memory of the process, the longest unused going
first: where one is lost (a bound, a kill) the training begins anew, which costs time, not budget.
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

_LIMIT_BYTES = 2**30  # some 500 models of `quick`, some 6 of `mad` with its six tasks


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One model after `step` steps; `values` on the CPU, `(3, size)`: weights and both moments."""

    step: int
    values: Tensor


@dataclass(slots=True)
class Part:
    """Steps `start` to `stop` of the training of a population.

    `before` holds each model's checkpoint at `start`, or nothing at step 0. With `keeps`, training
    fills `after`, None standing for a model that diverged.
    """

    start: int
    stop: int
    before: Sequence[Checkpoint] = ()
    keeps: bool = False
    after: list[Checkpoint | None] = field(default_factory=list)

    @torch.no_grad()
    def restore(self, owner: Tensor, tensors: Sequence[Tensor]) -> None:
        """Put `before` into `tensors`: weights and moments, whose elements `owner` assigns."""
        if not self.before:
            return
        order = torch.argsort(owner, stable=True)
        values = torch.cat([checkpoint.values for checkpoint in self.before], dim=1)
        for tensor, own in zip(tensors, values.to(owner.device), strict=True):
            tensor[order] = own

    @torch.no_grad()
    def keep(self, owner: Tensor, tensors: Sequence[Tensor], failures: Sequence[str]) -> None:
        """Fill `after`, if wanted, from `tensors` as in `restore`."""
        if not self.keeps:
            return
        order = torch.argsort(owner, stable=True)
        values = torch.stack([tensor[order] for tensor in tensors]).cpu()
        sizes = torch.bincount(owner).tolist()
        self.after = [
            None if failure else Checkpoint(self.stop, own.clone())
            for own, failure in zip(torch.split(values, sizes, dim=1), failures, strict=True)
        ]


class Checkpoints:
    """The latest checkpoint of each training, by key, at most `limit_bytes` together."""

    def __init__(self, limit_bytes: int = _LIMIT_BYTES) -> None:
        self._limit_bytes, self._used_bytes = limit_bytes, 0
        self._kept: OrderedDict[Hashable, Checkpoint] = OrderedDict()

    def step(self, keys: Sequence[Hashable], stop: int) -> int:
        """The step from which all of these trainings can go on to `stop`: 0 where one cannot."""
        steps = {self._kept[key].step if key in self._kept else 0 for key in keys}
        step = steps.pop()
        return step if not steps and step <= stop else 0

    def part(self, keys: Sequence[Hashable], stop: int, num_steps: int) -> Part:
        """The steps up to `stop` of `num_steps` that are still to be done for all of these."""
        start = self.step(keys, stop)
        if start == 0:
            return Part(0, stop, keeps=stop < num_steps)
        for key in keys:
            self._kept.move_to_end(key)
        return Part(start, stop, [self._kept[key] for key in keys], keeps=stop < num_steps)

    def store(self, keys: Sequence[Hashable], part: Part) -> None:
        """Keep what `part` came to; a training that ended or diverged is forgotten."""
        for key, checkpoint in zip(keys, part.after or [None] * len(keys), strict=True):
            self._drop(key)
            if checkpoint is not None:
                self._kept[key] = checkpoint
                self._used_bytes += checkpoint.values.nbytes
        while self._used_bytes > self._limit_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        if key in self._kept:
            self._used_bytes -= self._kept.pop(key).values.nbytes
