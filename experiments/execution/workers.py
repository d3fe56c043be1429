"""Tasks in parallel worker processes: one thread each, reused from task to task.

The parent hands out one task at a time over a pipe of its own for each worker, so it always knows
who works on what: a worker that is killed costs its own task and is replaced, and there is no lock
that it could take with it. Workers never see Ctrl-C; they end when the parent says so or is gone.

A worker is a fresh interpreter that imports this module. `multiprocessing` would run the caller's
own script in it again: that needs a guard in every script, and there is no such file in a notebook.
"""

import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, Literal

from nasarena.search.errors import NasArenaError

Report = Callable[[Any], None]
# Anything that cloudpickle can send, so also what was defined in a notebook or in `__main__`:
# called in the worker with a function that reports progress.
Task = Callable[[Report], Any]

# The libraries read these when they are imported.
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_REPORT_EVERY_S = 0.1
_GRACE_S = 2.0


@dataclass(frozen=True, slots=True)
class News:
    """What a worker says about the task of number `task`.

    `working`: `value` is a progress report. `done`: `value` is the result. `refused`: a
    NasArenaError, `value` is the error. `crashed`: a fault of ours, `value` is the traceback.
    `killed`: the process is gone, `value` says how.
    """

    task: int
    kind: Literal["working", "done", "refused", "crashed", "killed"]
    value: Any = None


@dataclass(slots=True)
class _Worker:
    """`life` is open as long as this process lives: the worker ends when it is closed."""

    process: subprocess.Popen[bytes]
    pipe: Connection
    life: Connection
    task: int | None = None


def num_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Queue:
    """Tasks that wait for a worker. More may come while others are being done."""

    def __init__(self, tasks: Sequence[Task] = ()) -> None:
        self._waiting = deque(enumerate(tasks))
        self._num_tasks = len(self._waiting)

    def add_first(self, task: Task) -> int:
        """Put a task before all that wait; returns its number."""
        self._num_tasks += 1
        self._waiting.appendleft((self._num_tasks - 1, task))
        return self._num_tasks - 1

    def take(self) -> tuple[int, Task]:
        """The next task and its number."""
        return self._waiting.popleft()

    def __bool__(self) -> bool:
        return bool(self._waiting)


def run_tasks(
    tasks: Sequence[Task] | Queue, num_workers: int | None = None
) -> Generator[News, None, None]:
    """Run all tasks, in their order as workers come free, and yield what happens.

    Closing the iterator, or an exception such as KeyboardInterrupt inside it, ends the workers.
    """
    queue = tasks if isinstance(tasks, Queue) else Queue(tasks)
    bound = num_workers or num_cores()
    workers: list[_Worker] = []
    try:
        while queue or any(worker.task is not None for worker in workers):
            for worker in workers:
                if queue and worker.task is None:
                    _hand_out(worker, queue)
            while queue and len(workers) < bound:
                workers.append(_start_worker())
                _hand_out(workers[-1], queue)
            busy = [worker for worker in workers if worker.task is not None]
            ready = wait([worker.pipe for worker in busy])
            for worker in [worker for worker in busy if worker.pipe in ready]:
                news = _receive(worker)
                if news.kind == "killed":
                    workers.remove(worker)
                yield news
    finally:
        _end(workers)


def run_here(tasks: Sequence[Task] | Queue) -> Iterator[News]:
    """As `run_tasks`, one after the other in this process: for what cannot be sent to another.

    Nothing is heard of a task before it is done, and Ctrl-C reaches it.
    """
    queue = tasks if isinstance(tasks, Queue) else Queue(tasks)
    while queue:
        number, task = queue.take()
        with _one_thread():
            news = _run_task(number, task, lambda value: None)
        yield news


@contextmanager
def _one_thread() -> Iterator[None]:
    """What torch computes meanwhile, it computes with one thread, as in a worker."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    if torch:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if torch:
            torch.set_num_threads(before)


def results(tasks: Sequence[Task], num_workers: int | None, watch: Report) -> list[Any]:
    """The result of every task, in order; `watch` gets the news. What one raises, this raises."""
    values: dict[int, Any] = {}
    with closing(run_tasks(tasks, num_workers)) as all_news:  # an interrupt ends the workers
        for news in all_news:
            watch(news)
            if news.kind == "done":
                values[news.task] = news.value
            elif news.kind == "refused":
                raise news.value
            elif news.kind in ("crashed", "killed"):
                raise RuntimeError(f"task {news.task} {news.kind}: {news.value}")
    return [values[number] for number in range(len(tasks))]


def _hand_out(worker: _Worker, queue: Queue) -> None:
    number, task = queue.take()
    worker.task = number
    try:
        _send(worker.pipe, (number, task))
    except OSError:
        pass  # it is gone; reading from it says so next


def _start_worker() -> _Worker:
    (ours, theirs), (our_life, their_life) = Pipe(), Pipe()
    ends = theirs.fileno(), their_life.fileno()
    code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve(*{ends})"
    with theirs, their_life, _no_interrupt():  # so that the pipes end when the worker does
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **dict.fromkeys(_ONE_THREAD, "1")},
            pass_fds=ends,
        )
    return _Worker(process, ours, our_life)


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
        worker.life.close()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return News(worker.task, "killed", how)
    if news.kind != "working":
        worker.task = None
    return news


def _end(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.process.terminate()
    deadline = time.monotonic() + _GRACE_S
    for worker in workers:
        try:
            worker.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()
        worker.pipe.close()
        worker.life.close()


def serve(pipe_end: int, life_end: int) -> None:
    """A worker's life: take a task, do it, say what came of it. The ends are file descriptors."""
    _end_with_parent(Connection(life_end))
    # What is missing on this machine its parent has said, once.
    logging.getLogger("nasarena.proxies.native").setLevel(logging.ERROR)
    pipe = Connection(pipe_end)
    while True:
        try:
            number, task = _receive_from(pipe)
        except EOFError:
            return
        _send(pipe, _run_task(number, task, _reports(pipe, number)))


def _reports(pipe: Connection, number: int) -> Report:
    """Progress reports to the parent, not more than it can read."""
    last_s = 0.0

    def report(value: Any) -> None:
        nonlocal last_s
        if time.monotonic() - last_s > _REPORT_EVERY_S:
            last_s = time.monotonic()
            _send(pipe, News(number, "working", value))

    return report


def _run_task(number: int, task: Task, report: Report) -> News:
    try:
        return News(number, "done", task(report))
    except NasArenaError as error:
        return News(number, "refused", error)
    except Exception:
        return News(number, "crashed", traceback.format_exc())


def _end_with_parent(life: Connection) -> None:
    """A worker whose parent was killed must not go on writing into run folders."""

    def watch() -> None:
        wait([life])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
