"""Populations cut to the memory there is, and halved where that was not enough.

The cut follows the memory model; the model may be wrong and others may take memory meanwhile, so a
population that does not fit after all is trained in halves. A model that does not fit alone is a
failed trial with its reason, and the rest go on. Sizes change speed, never a result.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from nasarena.proxies.training.memory import (
    MemoryModel,
    free_bytes,
    is_device_lost,
    is_out_of_memory,
    readable,
    release,
    usable_bytes,
)
from nasarena.search.errors import ProxyFailed
from nasarena.search.proxy import OUT_OF_MEMORY
from nasarena.search.trial import Outcome

_LOG = logging.getLogger(__name__)

Found = TypeVar("Found")
Train = Callable[[list[int]], list[Outcome]]  # members of one population to their outcomes
Fail = Callable[[int, str], Outcome]  # a member and the reason


@dataclass(slots=True)
class PopulationSizer:
    """At most `bound` models at once; `models` says what they take, one for each task."""

    models: Sequence[MemoryModel]
    device: torch.device
    bound: int
    _warned: set[str] = field(default_factory=set)

    def bytes_of(self, pattern: str) -> int:
        """What one model of the pattern takes, in the task that takes most."""
        return max(model.peak_bytes([pattern]) for model in self.models)

    def size(self, patterns: Sequence[str]) -> int:
        """How many of `patterns`, from the first on, may train together; at least one."""
        wanted = list(patterns[: self.bound])
        if len(wanted) < 2:
            return 1
        usable = usable_bytes(self.device)
        size = max(1, min(model.prefix_that_fits(wanted, usable) for model in self.models))
        if size < len(wanted):
            self._say(f"{len(wanted)} models do not fit into {readable(usable)}, trained {size}")
        return size

    def evaluate(
        self, patterns: Sequence[str], members: Sequence[int], train: Train, fail: Fail
    ) -> dict[int, Outcome]:
        """Outcome of every member, each an index into `patterns`."""
        outcomes: dict[int, Outcome] = {}
        waiting, bound = list(members), self.bound
        while waiting:
            part = waiting[: self.size([patterns[i] for i in waiting[:bound]])]
            found = self._attempt(patterns, part, train)
            if found is None and len(part) > 1:
                bound = len(part) // 2
                self._say(f"{len(part)} models ran out of memory, trained {bound}")
                continue
            if found is None:
                found = [fail(part[0], self._reason(patterns[part[0]]))]
                bound = self.bound  # it was this one's doing
            outcomes |= zip(part, found, strict=True)
            waiting = waiting[len(part) :]
        self.bound = bound
        return outcomes

    def alone(self, pattern: str, train: Callable[[], Found]) -> Found:
        """What `train` gives of this one pattern; raises MemoryError where it does not fit."""
        found = self._train_if_it_fits([pattern], train)
        if found is None:
            raise MemoryError(self._reason(pattern))
        return found

    def _attempt(
        self, patterns: Sequence[str], part: list[int], train: Train
    ) -> list[Outcome] | None:
        """Outcomes, or None where memory did not suffice."""
        return self._train_if_it_fits([patterns[i] for i in part], lambda: train(part))

    def _train_if_it_fits(
        self, patterns: Sequence[str], train: Callable[[], Found]
    ) -> Found | None:
        """What `train` gives, or None where memory did not suffice; what failed is freed then."""
        if len(patterns) == 1 and self.bytes_of(patterns[0]) > free_bytes(self.device):
            return None  # a system that lends more than it has would end the process instead
        try:
            return train()
        except (RuntimeError, MemoryError) as error:
            if is_device_lost(error, self.device):
                raise _device_error(error, self.device) from error
            if not is_out_of_memory(error):
                raise
        release(self.device)
        return None

    def _reason(self, pattern: str) -> str:
        needed, free = self.bytes_of(pattern), free_bytes(self.device)
        return (
            f"{OUT_OF_MEMORY}: one model takes about {readable(needed)}, {readable(free)} are free "
            f"on {self.device}; lower proxy.train.batch_size or the model's sizes"
        )

    def _say(self, words: str) -> None:
        """Once each: a run has thousands of populations."""
        if words not in self._warned:
            self._warned.add(words)
            _LOG.warning("%s at a time; scores do not change", words)


def _device_error(error: Exception, device: torch.device) -> ProxyFailed:
    first = str(error).strip().splitlines()[0]
    return ProxyFailed(
        f"{device} stopped answering ({first}); what was trained is on record: the same command "
        "goes on from there once the device is back (nvidia-smi)"
    )
