"""Tasks that all processes of `torchrun` do together, one after the other; rank 0 hands them out.

    torchrun --nproc-per-node=8 --no-python nasarena scale ...

Rank 0 is the command as it always is, with this pool instead of worker processes. The others only
follow: they hear of a task, do their part of it, and wait for the next.
"""

import logging
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress

from nasarena.experiments.execution.pool import News, Queue, Task, run_task
from nasarena.experiments.grid.cell_task import CellTask
from nasarena.proxies.scaled.distributed.ranks import Ranks, join
from nasarena.search.errors import NasArenaError

_REPORT_EVERY_S = 0.1


class JointPool:
    """Implements `Pool` on rank 0, but for what needs a process for each task.

    A crash is not news: it is raised, and with this process `torchrun` ends all others.
    """

    num_workers = 1

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self._is_idle = True  # all processes wait for what this one says

    def run_tasks(self, queue: Queue) -> Generator[News, None, None]:
        """As `Pool.run_tasks`."""
        while queue:
            number, task = queue.take()
            self._say(task)
            self._is_idle = False
            if isinstance(task, CellTask):
                news = yield from _train(number, task)
            else:
                news = run_task(number, task, lambda value: None)
            if news.kind == "crashed":
                raise RuntimeError(news.value)
            self._is_idle = True
            yield news

    def end(self) -> None:
        """Let the others go, unless they are within a task: then `torchrun` ends them."""
        if self._is_idle:
            self._say(None)

    def _say(self, task: Task | None) -> None:
        self._ranks.agree(lambda: task)


@contextmanager
def open_joint_pool() -> Iterator[JointPool]:
    """The pool of all processes, in rank 0; the others `follow`."""
    with join() as ranks:
        pool = JointPool(ranks)
        try:
            yield pool
        finally:
            pool.end()


def follow() -> None:
    """The life of every process but rank 0."""
    logging.disable()  # rank 0 says it
    with join() as ranks:
        while (task := ranks.agree(_hear)) is not None:
            with suppress(NasArenaError):  # which rank 0 has too
                task(lambda value: None)


def _hear() -> Task | None:
    """What rank 0 says; nobody else is asked."""
    raise AssertionError("rank 0 leads")


def _train(number: int, task: CellTask) -> Generator[News, None, News]:
    """The news of a training while it goes on; returns the last one."""
    last_s = 0.0
    try:
        for told in task.steps():
            if (now_s := time.monotonic()) - last_s >= _REPORT_EVERY_S:
                last_s = now_s
                yield News(number, "working", told)
    except NasArenaError as error:
        return News(number, "refused", error)
    return News(number, "done")
