"""The pool of this machine: worker processes of one thread each, reused from task to task.

The parent hands out one task at a time over a pipe of its own for each worker, so it always knows
who works on what: a worker that is killed costs its own task and is replaced, and there is no lock
that it could take with it. Workers never see Ctrl-C; they end when the parent says so or is gone.

A worker begins with what a fresh interpreter would begin with (fork_server.py), in the folder and
the environment that this process has when it starts it.
"""

import logging
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, Self

from nasarena.experiments.execution.fork_server import ForkedProcess, fork_worker
from nasarena.experiments.execution.pool import News, Queue, Report, leaves_traces, run_task
from nasarena.search.guarded_searcher import TimeLimit
from nasarena.search.machine import num_cores, thread_environment

_REPORT_EVERY_S = 0.1
_GRACE_S = 2.0


@dataclass(slots=True)
class _Worker:
    """`life` is open as long as this process lives: the worker ends when it is closed."""

    process: ForkedProcess
    pipe: Connection
    life: Connection
    task: int | None = None
    is_spent: bool = False

    def take(self, queue: Queue) -> None:
        """Send it the next task."""
        self.task, task = queue.take()
        self.is_spent = leaves_traces(task)
        try:
            _send(self.pipe, (self.task, task))
        except OSError:
            pass  # it is gone; reading from it says so next


class LocalPool:
    """Worker processes on this machine; implements `Pool`.

    A worker whose task may leave traces in its process does no other task after it.
    As a context manager it keeps its workers from one `run_tasks` to the next, idle in between.
    """

    def __init__(self, num_workers: int | None = None, num_threads: int = 1) -> None:
        """One worker a core unless said otherwise."""
        self.num_workers = num_workers or num_cores()
        self.num_threads = num_threads
        self._workers: list[_Worker] = []
        self._keeps_workers = False

    def __enter__(self) -> Self:
        self._keeps_workers = True
        return self

    def __exit__(self, *error: object) -> None:
        self._end(self._workers)

    def run_tasks(self, queue: Queue) -> Generator[News, None, None]:
        """As `Pool.run_tasks`."""
        try:
            while busy := self._hand_out(queue):
                ready = wait([worker.pipe for worker in busy])
                for worker in [worker for worker in busy if worker.pipe in ready]:
                    news = _receive(worker)
                    if news.kind == "killed":
                        self._workers = [one for one in self._workers if one is not worker]
                    elif worker.is_spent and worker.task is None:
                        self._end([worker])
                    yield news
        finally:
            keeps = self._keeps_workers
            self._end([one for one in self._workers if one.task is not None or not keeps])

    def _hand_out(self, queue: Queue) -> list[_Worker]:
        """Give idle workers a task each as long as there are any; returns those at work."""
        for worker in self._workers:
            if queue and worker.task is None:
                worker.take(queue)
        while queue and len(self._workers) < self.num_workers:
            self._workers.append(_start_worker(self.num_threads))
            self._workers[-1].take(queue)
        return [worker for worker in self._workers if worker.task is not None]

    def _end(self, workers: Sequence[_Worker]) -> None:
        self._workers = [worker for worker in self._workers if worker not in workers]
        _end(workers)


def _start_worker(num_threads: int) -> _Worker:
    (ours, theirs), (our_life, their_life) = Pipe(), Pipe()
    ends = theirs.fileno(), their_life.fileno()
    with theirs, their_life, _no_interrupt():  # so that the pipes end when the worker does
        process = fork_worker(serve, ends, num_threads)
    _send(ours, _Place.here(num_threads))
    return _Worker(process, ours, our_life)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where this process is: its folder, its environment, and what it can import."""

    folder: str
    environment: dict[str, str]
    path: list[str]

    @classmethod
    def here(cls, num_threads: int) -> "_Place":
        return cls(os.getcwd(), {**os.environ, **thread_environment(num_threads)}, sys.path)

    def enter(self) -> None:
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environment)
        sys.path[:] = self.path


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """What is started meanwhile has Ctrl-C blocked from its first instruction on."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _send(pipe: Connection, message: Any) -> None:
    import cloudpickle

    pipe.send_bytes(cloudpickle.dumps(message))


def _receive_from(pipe: Connection) -> Any:
    return pickle.loads(pipe.recv_bytes())


def _receive(worker: _Worker) -> News:
    assert worker.task is not None
    try:
        news: News = _receive_from(worker.pipe)
    except (EOFError, OSError):
        code = worker.process.wait()
        worker.pipe.close()
        worker.life.close()
        return News(worker.task, "killed", _end_in_words(code))
    if news.kind != "working":
        worker.task = None
    return news


def _end_in_words(code: int | None) -> str:
    if code is None:
        return "nobody knows how"
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _end(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_S
    for worker in workers:
        if worker.process.wait(max(0.0, deadline - time.monotonic())) is None:
            worker.process.send_signal(signal.SIGKILL)
            worker.process.wait()
        worker.pipe.close()
        worker.life.close()


def serve(pipe_end: int, life_end: int) -> None:
    """A worker's life: take a task, do it, say what came of it. The ends are file descriptors."""
    _end_with_parent(Connection(life_end))
    TimeLimit.ends_process = True
    # What is missing on this machine its parent has said, once.
    logging.getLogger("nasarena.proxies.native").setLevel(logging.ERROR)
    pipe = Connection(pipe_end)
    with suppress(EOFError, ConnectionError):  # the parent has gone: nobody is left to tell
        _receive_from(pipe).enter()
        while True:
            number, task = _receive_from(pipe)
            _send(pipe, run_task(number, task, _reports(pipe, number)))


def _reports(pipe: Connection, number: int) -> Report:
    """Progress reports to the parent, not more than it can read."""
    last_s = 0.0

    def report(value: Any) -> None:
        nonlocal last_s
        if time.monotonic() - last_s > _REPORT_EVERY_S:
            last_s = time.monotonic()
            _send(pipe, News(number, "working", value))

    return report


def _end_with_parent(life: Connection) -> None:
    """A worker whose parent was killed must not go on writing into run folders."""

    def watch() -> None:
        wait([life])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
