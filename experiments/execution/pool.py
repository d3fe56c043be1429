"""The one protocol of whatever runs tasks: worker processes here, a cluster's elsewhere.

A task is all that a worker gets: what it needs besides, it makes or reads itself.
"""

import traceback
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from nasarena.search.errors import NasArenaError

Report = Callable[[Any], None]
# Anything that cloudpickle can send, so also what was defined in a notebook or in `__main__`:
# called in the worker with a function that reports progress.
Task = Callable[[Report], Any]


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


class Queue:
    """Tasks that wait for a worker. More may come while others are being done."""

    def __init__(self, tasks: Sequence[Task] = ()) -> None:
        self._waiting = deque(enumerate(tasks))
        self._num_tasks = len(self._waiting)

    def add(self, task: Task) -> int:
        """Put a task behind all that wait; returns its number."""
        self._num_tasks += 1
        self._waiting.append((self._num_tasks - 1, task))
        return self._num_tasks - 1

    def add_first(self, task: Task) -> int:
        """Put a task before all that wait; returns its number."""
        self._num_tasks += 1
        self._waiting.appendleft((self._num_tasks - 1, task))
        return self._num_tasks - 1

    def take(self) -> tuple[int, Task]:
        """The next task and its number."""
        return self._waiting.popleft()

    def __len__(self) -> int:
        return len(self._waiting)


class Pool(Protocol):
    """Runs the tasks of a queue. What every implementation keeps (tests/pool_contract.py):

    - Every task that is in the queue, or is put there while the news are read, is taken when a
      worker is free for it, in the queue's order, and has exactly one news other than `working`,
      its last. In which order tasks end is left open.
    - A result is what the task returns in any other process with one thread, to the last bit,
      whichever worker runs it and whatever runs beside it. A process in which a task with a true
      attribute `leaves_traces` was run does no other task.
    - An error costs its own task: a NasArenaError is `refused` and arrives as it was, any other is
      `crashed`. So does the death of a worker, which is `killed` and replaced.
    - Nothing is left running once the iterator has ended, was closed, or had an exception such as
      KeyboardInterrupt inside it; workers themselves never see Ctrl-C. Nor is anything left when
      the process that reads the news is killed.
    """

    @property
    def num_workers(self) -> int:
        """How many tasks are done at once."""
        ...

    def run_tasks(self, queue: Queue) -> Generator[News, None, None]:
        """Run all tasks and yield what happens, as it happens. Close it if you stop reading."""
        ...


def leaves_traces(task: Task) -> bool:
    """Whether a task runs code of the user's, which may change its process for whoever is next."""
    return bool(getattr(task, "leaves_traces", False))


def run_task(number: int, task: Task, report: Report) -> News:
    """What came of a task, whichever way it ended."""
    try:
        return News(number, "done", task(report))
    except NasArenaError as error:
        return News(number, "refused", error)
    except Exception:
        return News(number, "crashed", traceback.format_exc())


def results(tasks: Sequence[Task], pool: Pool, watch: Report = lambda news: None) -> list[Any]:
    """The result of every task, in order; `watch` gets the news. What one raises, this raises."""
    values: dict[int, Any] = {}
    with closing(pool.run_tasks(Queue(tasks))) as stream:
        for news in stream:
            watch(news)
            if news.kind == "done":
                values[news.task] = news.value
            elif news.kind == "refused":
                raise news.value
            elif news.kind in ("crashed", "killed"):
                raise RuntimeError(f"task {news.task} {news.kind}: {news.value}")
    return [values[number] for number in range(len(tasks))]
