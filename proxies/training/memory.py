"""How much memory a population takes at its peak, and so how large a population may be.

The peak of a training is modelled as

    36 bytes a weight + what the backward pass needs of every layer + one layer at work + data

What a layer keeps for the backward pass is counted, not derived: a small model of each kind runs
forward once and autograd is asked what it holds, so the count follows the code of the layers and
the device's kernels. It is linear in models and sequences. `python -m
nasarena.experiments.measure.memory` compares the model with what was really used.

Shapes: B sequences, T positions.
"""

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from weakref import WeakSet

import torch
import torch.nn.functional as F
from torch import Tensor

from nasarena.proxies.models.flops import SequenceShape, num_parameters
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.models.population import Population
from nasarena.proxies.training.devices import Precision, autocast
from nasarena.proxies.training.train_settings import TrainSettings
from nasarena.search.machine import free_memory

# Of each weight: itself 4, its gradient alone and in the flat vector 8, two moments 8, its model's
# number 8, and whether and how much it decays 8.
BYTES_PER_WEIGHT = 36
_TOKEN_BYTES = 16  # input and target, eight bytes each
# Of free memory, what populations may fill. The C library's heap keeps up to twice what is in use.
_USABLE = {"cpu": 0.4, "cuda": 0.9}
_PROBE_BATCHES = (2, 4)  # at 1 some kernels take a path of their own


class Probed(NamedTuple):
    """What the memory of a small model depends on, that is counted where it runs."""

    shape: ModelShape
    sequence: SequenceShape
    device: torch.device
    precision: Precision


@dataclass(frozen=True, slots=True)
class MemoryModel:
    """Peak bytes of training models of these sizes on this data, on one kind of device."""

    shape: ModelShape
    sequence: SequenceShape
    train: TrainSettings
    device: torch.device
    precision: Precision = "float32"

    def model_bytes(self, pattern: str) -> int:
        """What one model adds to a population."""
        weights = BYTES_PER_WEIGHT * num_parameters(pattern, self.shape, self.sequence)
        return (
            weights
            + self.data_bytes()
            + self.activation_bytes(pattern)
            + self._working_bytes(pattern)
        )

    def workspace_bytes(self, patterns: Sequence[str]) -> int:
        """What models of these patterns use one after the other."""
        return 0

    def peak_bytes(self, patterns: Sequence[str]) -> int:
        """What a population of these models takes at its peak."""
        own = sum(self.model_bytes(pattern) for pattern in patterns)
        return own + self.workspace_bytes(patterns)

    def prefix_that_fits(self, patterns: Sequence[str], free: int) -> int:
        """How many of `patterns`, from the first on, fit into `free` bytes together."""
        used = 0
        for count, pattern in enumerate(patterns):
            used += self.model_bytes(pattern)
            if used + self.workspace_bytes(patterns[: count + 1]) > free:
                return count
        return len(patterns)

    def activation_bytes(self, pattern: str) -> int:
        """What one model's forward pass over a batch leaves for its backward pass."""
        kept = self._by_letter(pattern)
        ends = _ends_bytes(pattern[0], self._probe)
        return self.train.batch_size * (sum(kept[letter] for letter in pattern) + ends)

    def _working_bytes(self, pattern: str) -> int:
        """Gradients of the costliest layer's tensors, while it is differentiated."""
        return self.train.batch_size * max(self._by_letter(pattern).values())

    def _by_letter(self, pattern: str) -> dict[str, int]:
        return {letter: _layer_bytes(letter, self._probe) for letter in set(pattern)}

    @property
    def _probe(self) -> Probed:
        return Probed(self.shape, self.sequence, self.device, self.precision)

    def data_bytes(self) -> int:
        """Training and scoring sequences of one model."""
        train = self.train
        distinct = train.num_train or train.steps * train.batch_size
        return _TOKEN_BYTES * self.sequence.length * (distinct + train.num_eval)


def usable_bytes(device: torch.device) -> int:
    """Bytes that one population may fill now; on a CPU every core may be training one."""
    sharers = 1
    if device.type == "cpu" and hasattr(os, "sched_getaffinity"):
        sharers = len(os.sched_getaffinity(0))
    return int(_USABLE[device.type] * free_bytes(device) / sharers)


def free_bytes(device: torch.device) -> int:
    """Bytes that are free on the device, what torch keeps there for later among them."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free_memory()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice; torch has several ways to say it."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        phrase in words for phrase in ("not enough memory", "can't allocate memory", "alloc_failed")
    )


def is_device_lost(error: BaseException, device: torch.device) -> bool:
    """Whether an error says that the device itself is gone, and with it all that was on it."""
    if device.type == "cpu" or is_out_of_memory(error):
        return False
    accelerator = getattr(torch, "AcceleratorError", ())
    words = str(error)
    return isinstance(error, accelerator) or "CUDA error" in words or "CUDA driver" in words


def release(device: torch.device) -> None:
    """Give back what failed attempts still hold."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def readable(num_bytes: float) -> str:
    """`1.4 GiB`, `310 MiB`."""
    gib = num_bytes / 2**30
    return f"{gib:.1f} GiB" if gib >= 1 else f"{num_bytes / 2**20:.0f} MiB"


@lru_cache(maxsize=256)
def _layer_bytes(letter: str, of: Probed) -> int:
    """Kept of one layer and one sequence: what two layers more hold, by two."""
    more, fewer = (_sequence_bytes(letter * depth, of) for depth in (4, 2))
    return (more - fewer) // 2


@lru_cache(maxsize=256)
def _ends_bytes(letter: str, of: Probed) -> int:
    """Kept around the layers for one sequence: embedding, final norm, head and loss."""
    whole = _sequence_bytes(letter * 2, of)
    return whole - 2 * _layer_bytes(letter, of)


@lru_cache(maxsize=256)
def _sequence_bytes(pattern: str, of: Probed) -> int:
    """Kept for each further sequence; constants such as a mask fall out of the difference."""
    few, more = _PROBE_BATCHES
    held = [_autograd_bytes(pattern, size, of) for size in (few, more)]
    return (held[1] - held[0]) // (more - few)


def _autograd_bytes(pattern: str, size: int, of: Probed) -> int:
    """Bytes that autograd holds after a forward pass and a loss, weights not counted."""
    sequence, device = of.sequence, of.device
    models = Population(
        [pattern],
        [torch.Generator().manual_seed(0)],
        of.shape,
        sequence.vocab_size,
        sequence.length,
        sequence.head,
        device,
    )
    tokens_PBT = torch.zeros(1, size, sequence.length, dtype=torch.int64, device=device)
    with track_saved_tensors() as held, autocast(device, of.precision):
        logits = models.logits(tokens_PBT)
        loss = F.cross_entropy(logits.flatten(0, 2), tokens_PBT.flatten(), reduction="none").sum()
        del logits
        storages = {
            entry.tensor.untyped_storage().data_ptr(): entry.tensor.untyped_storage().nbytes()
            for entry in held
        }
    del loss  # the graph, and what it holds, lives until here
    return sum(storages.values()) - storages.get(models.padded.untyped_storage().data_ptr(), 0)


class Held:
    """A tensor as autograd holds it; gone when the branch of the graph that needs it is gone."""

    __slots__ = ("tensor", "__weakref__")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


@contextmanager
def track_saved_tensors() -> Iterator[WeakSet[Held]]:
    held: WeakSet[Held] = WeakSet()

    def pack(tensor: Tensor) -> Held:
        entry = Held(tensor)
        held.add(entry)
        return entry

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda entry: entry.tensor):
        yield held
