"""Worker processes that do the same work at the same moment, as those of a comparison do.

Cores share caches, memory and clock, so what one process does alone on an idle machine is not what
it does beside another. A barrier starts them together; the last to end says how long it took.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Barrier
from typing import Any

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_barrier: Barrier | None = None


@dataclass(frozen=True, slots=True)
class Crew:
    """`num_processes` processes of `num_threads` threads each."""

    num_processes: int
    num_threads: int
    pool: ProcessPoolExecutor

    def all_do(self, work: Callable[..., Any], *arguments: Any) -> list[Any]:
        """What `work(*arguments)` returns in every process, begun in all at once."""
        futures = [self.pool.submit(_together, work, arguments) for _ in range(self.num_processes)]
        return [future.result() for future in futures]


@contextmanager
def crew(num_processes: int, num_threads: int) -> Iterator[Crew]:
    """A crew, its processes started and torch imported in them."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(num_processes)
    with (
        ProcessPoolExecutor(num_processes, context, _join, (barrier, num_threads)) as pool,
        _environment(num_threads),
    ):
        made = Crew(num_processes, num_threads, pool)
        made.all_do(os.getpid)
        yield made


@contextmanager
def _environment(num_threads: int) -> Iterator[None]:
    """The libraries read these when they are imported, in the processes started meanwhile."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, str(num_threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _join(barrier: Barrier, num_threads: int) -> None:
    import torch

    global _barrier
    _barrier = barrier
    torch.set_num_threads(num_threads)


def _together(work: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    assert _barrier is not None
    _barrier.wait()  # a process that waits here takes no second share of the work
    return work(*arguments)
