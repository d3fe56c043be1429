"""A pool of Ray actors: on the nodes of a cluster, or of a Ray that is started here.

Each actor keeps a pool of one worker process (workers.py), so a task meets what it meets on one
machine: a clean process of one thread, whose death costs that task alone. Where actors run, Ray
decides; which task is next, the queue. An actor that is lost with its node is replaced.
"""

import os
import pickle
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any, Self

from nasarena.experiments.execution.pool import News, Queue
from nasarena.experiments.execution.remote_site import Site, dump, open_site
from nasarena.experiments.execution.workers import LocalPool
from nasarena.search.errors import NasArenaError
from nasarena.search.machine import num_cores

_MOST_LOST_STARTS = 5  # actors in a row that died before they could be given a task
_GRACE_S = 10.0
_STORE_BYTES = 2**27  # of a Ray of our own: tasks and results are small


class _Agent:
    """The actor: does one task at a time, and can be told meanwhile to end it."""

    def __init__(self, site: Site) -> None:
        self._site, self._pool = site, LocalPool(1)
        self._turn = Lock()  # the last task's news may be read before its generator has ended

    def enter(self) -> None:
        """Raises NasArenaError on a node that does not share the folder."""
        self._site.enter()
        self._pool.__enter__()

    def do(self, task: bytes) -> Generator[bytes, None, None]:
        """The news of a task, as they come."""
        with self._turn:
            for news in self._pool.run_tasks(Queue([pickle.loads(task)])):
                yield dump(news)

    def end(self) -> None:
        """Leave no process behind."""
        self._pool.__exit__()


@dataclass(slots=True)
class _Worker:
    """`next` is what is waited for: that it is ready, or the next of its task's news."""

    actor: Any
    next: Any
    task: int | None = None


class RayPool:
    """Ray actors; implements `Pool`. Results lie below `folder`, which all nodes share.

    Joins the cluster at `address`, else the Ray that this process has joined, else starts one with
    `num_workers` CPUs for as long as the pool is open. Raises NasArenaError where there is none.
    """

    def __init__(
        self,
        folder: Path,
        num_workers: int | None = None,
        address: str | None = None,
        gpus: float = 0.0,
    ) -> None:
        self._stack = ExitStack()
        _join(self._stack, address, num_workers)
        import ray

        self._site = self._stack.enter_context(open_site(folder))
        self.num_workers = num_workers or int(ray.cluster_resources().get("CPU", 1))
        # Two methods at once, so that it can be told to end.
        self._agent = ray.remote(_Agent).options(
            num_cpus=1, num_gpus=gpus, max_concurrency=2, scheduling_strategy="SPREAD"
        )  # fmt: skip
        self._workers: list[_Worker] = []
        self._lost_starts = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def run_tasks(self, queue: Queue) -> Generator[News, None, None]:
        """As `Pool.run_tasks`."""
        import ray

        try:
            while self._hand_out(queue):
                ready, _ = ray.wait(
                    [worker.next for worker in self._workers if worker.next is not None]
                )
                for worker in [worker for worker in self._workers if worker.next in ready]:
                    news = self._hear(worker)
                    if news is not None:
                        yield news
        finally:
            self._end()

    def _hand_out(self, queue: Queue) -> bool:
        """Give those that wait a task each, and have more come; whether any is at work."""
        for worker in self._workers:
            if queue and worker.next is None:
                _give(worker, *queue.take())
        at_work = [worker for worker in self._workers if worker.task is not None]
        num_starting = len(self._workers) - len(at_work) if queue else 0
        num_free = self.num_workers - len(self._workers)
        for _ in range(min(len(queue) - num_starting, num_free)):
            actor = self._agent.remote(self._site)
            self._workers.append(_Worker(actor, actor.enter.remote()))
        return bool(at_work or queue)

    def _hear(self, worker: _Worker) -> News | None:
        """What a worker says; None where that is no news of a task."""
        import ray

        try:
            if worker.task is None:
                ray.get(worker.next)
                worker.next, self._lost_starts = None, 0
                return None
            news: News = pickle.loads(ray.get(next(worker.next)))
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except (ray.exceptions.RayActorError, ray.exceptions.ObjectLostError) as error:
            return self._lose(worker, error)
        news = replace(news, task=worker.task)
        if news.kind != "working":
            worker.task = worker.next = None
        return news

    def _lose(self, worker: _Worker, error: Exception) -> News | None:
        self._workers.remove(worker)
        reason = str(error).strip().splitlines()[0]
        if worker.task is not None:
            return News(worker.task, "killed", f"Ray lost its worker: {reason}")
        self._lost_starts += 1
        if self._lost_starts >= _MOST_LOST_STARTS:
            raise NasArenaError(f"Ray starts no worker that lives: {reason}")
        return None

    def _end(self) -> None:
        import ray

        ends = [worker.actor.end.remote() for worker in self._workers if worker.task is not None]
        if ends:
            ray.wait(ends, num_returns=len(ends), timeout=_GRACE_S)
        for worker in self._workers:
            ray.kill(worker.actor)
        self._workers = []


def _give(worker: _Worker, number: int, task: Any) -> None:
    worker.task = number
    worker.next = worker.actor.do.options(num_returns="streaming").remote(dump(task))


def _join(stack: ExitStack, address: str | None, num_workers: int | None) -> None:
    """Have this process in a Ray cluster; `stack` leaves the one that was joined here."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to Ray's makers
    import ray

    if ray.is_initialized():
        return
    settings: dict[str, Any] = {"address": address}
    if address is None:
        settings = {"address": "local", "num_cpus": num_workers or num_cores()}
        settings |= {"object_store_memory": _STORE_BYTES, "include_dashboard": False}
    try:
        ray.init(**settings, log_to_driver=False, logging_level="error")
    except Exception as error:  # Ray raises it bare where its processes take too long to start
        reason = str(error).strip().partition("\n")[0]
        raise NasArenaError(f"no Ray at {address or 'this machine'}: {reason}") from error
    stack.callback(ray.shutdown)
