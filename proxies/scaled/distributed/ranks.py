"""The processes that train one model together, as `torchrun` starts them.

Rank 0 alone reads and writes the small files of a cell. What it finds, or what goes wrong, all
others hear: no process is left waiting for one that has given up.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from nasarena.search.errors import NasArenaError

T = TypeVar("T")
_CPU = torch.device("cpu")
# Others wait while rank 0 writes; where it ends instead, torchrun ends them.
_PATIENCE = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among `size` of them; `is_joined`: a model is sharded over them."""

    rank: int = 0
    size: int = 1
    is_joined: bool = False

    def agree(self, act: Callable[[], T]) -> T:
        """What `act` gives on rank 0, on every rank; a NasArenaError of it is raised on all."""
        if not self.is_joined:
            return act()
        told: list[Any] = [None, None]
        if self.rank == 0:
            try:
                told[0] = act()
            except NasArenaError as error:
                told[1] = error
        dist.broadcast_object_list(told, src=0, device=_CPU)
        if told[1] is not None:
            raise told[1]
        value: T = told[0]
        return value

    def gather(self, act: Callable[[], T]) -> list[T]:
        """What `act` gives on each rank, on every rank; the first NasArenaError raises on all."""
        value = self.together(act)
        found: list[Any] = [value]
        if self.is_joined:
            found = [None] * self.size
            dist.all_gather_object(found, value)
        return found

    def together(self, act: Callable[[], T]) -> T:
        """What `act` gives on this rank; a NasArenaError of one rank is raised on all."""
        if not self.is_joined:
            return act()
        value: Any = None
        error: NasArenaError | None = None
        try:
            value = act()
        except NasArenaError as raised:
            error = raised
        errors: list[Any] = [None] * self.size
        dist.all_gather_object(errors, error)
        for each in errors:
            if each is not None:
                raise each
        own: T = value
        return own

    def local_device(self, device: torch.device) -> torch.device:
        """The device of this process: of several GPUs on a machine each process takes one."""
        if self.is_joined and device.type == "cuda":
            return torch.device("cuda", local_rank())
        return device


ALONE = Ranks()


def is_launched() -> bool:
    """Whether `torchrun` started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def torchrun_rank() -> int:
    """The rank that `torchrun` gave this process, 0 without it."""
    return int(os.environ["RANK"]) if is_launched() else 0


def local_rank() -> int:
    """The number of this process on its machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))


@contextmanager
def join() -> Iterator[Ranks]:
    """All processes that `torchrun` started; entered by each of them."""
    has_gpu = local_rank() < torch.cuda.device_count()
    if has_gpu:
        torch.cuda.set_device(local_rank())
    dist.init_process_group("cpu:gloo,cuda:nccl" if has_gpu else "cpu:gloo", timeout=_PATIENCE)
    try:
        yield current_ranks()
    finally:
        dist.destroy_process_group()


def current_ranks() -> Ranks:
    """The ranks that this process has joined, else `ALONE`."""
    if not dist.is_initialized():
        return ALONE
    return Ranks(dist.get_rank(), dist.get_world_size(), True)
