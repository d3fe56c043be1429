"""What every pool promises, as one check: `check_pool(make)` raises AssertionError or returns.

`make(n)` is a pool of `n` workers on this machine:

    from pool_contract import check_pool

    def test_contract() -> None:
        check_pool(MyPool)
"""

import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from nasarena.experiments.execution.pool import News, Pool, Queue, Report, results
from nasarena.search.errors import InvalidSetting

MakePool = Callable[[int], Pool]


def check_pool(make: MakePool, keeps_processes: bool = True) -> None:
    """Check the contract of `nasarena.experiments.execution.pool` with two workers.

    Without `keeps_processes` every task has a process of its own.
    """
    assert make(2).num_workers == 2
    assert list(make(2).run_tasks(Queue())) == []
    _check_results(make(2))
    _check_late_tasks(make(2))
    _check_order(make(1))
    _check_failures(make(2))
    _check_bits(make(2))
    _check_traces(make(1), keeps_processes)
    _check_end(make(2), _close)
    _check_end(make(2), _interrupt)


@dataclass(frozen=True)
class Square:
    number: int

    def __call__(self, report: Report) -> int:
        report(self.number)
        return self.number**2


@dataclass(frozen=True)
class Trace:
    """Says what an earlier task left in its process, and leaves something itself."""

    leaves_traces: bool

    def __call__(self, report: Report) -> str | None:
        found = os.environ.get("LEFT_BY_A_TASK")
        os.environ["LEFT_BY_A_TASK"] = "traces"
        return found


@dataclass(frozen=True)
class Solve:
    """Products and a decomposition of a random matrix, to the last bit."""

    seed: int

    def __call__(self, report: Report) -> bytes:
        matrix = np.random.default_rng(self.seed).normal(size=(300, 300)).astype(np.float32)
        return np.linalg.svd(matrix @ matrix @ matrix).U.tobytes()


@dataclass(frozen=True)
class Fail:
    how: str

    def __call__(self, report: Report) -> None:
        if self.how == "refuse":
            raise InvalidSetting("not like this")
        if self.how == "break":
            raise ZeroDivisionError("a fault of ours")
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Stay:
    """Says who does it, and does not end."""

    def __call__(self, report: Report) -> None:
        report(os.getpid())
        signal.pause()


def _check_results(pool: Pool) -> None:
    seen: list[News] = []
    assert results([Square(n) for n in range(5)], pool, seen.append) == [0, 1, 4, 9, 16]
    assert Counter(news.task for news in seen if news.kind == "done") == Counter(range(5))
    ended: set[int] = set()
    for news in seen:
        assert news.task not in ended and news.kind in ("working", "done")
        assert news.value == (news.task if news.kind == "working" else news.task**2)
        ended |= {news.task} if news.kind == "done" else set()


def _check_late_tasks(pool: Pool) -> None:
    """A task that is put into the queue by whoever reads of the last one's end is done too."""
    queue, done = Queue([Square(3)]), []
    for news in pool.run_tasks(queue):
        if news.kind == "done":
            done.append(news.value)
            if news.task == 0:
                assert queue.add_first(Square(4)) == 1
    assert done == [9, 16]


def _check_order(pool: Pool) -> None:
    """One worker does tasks in the order of the queue."""
    kinds = [(news.task, news.kind) for news in pool.run_tasks(Queue([Square(1), Square(2)]))]
    assert [task for task, kind in kinds if kind == "done"] == [0, 1]


def _check_failures(pool: Pool) -> None:
    """Each costs its own task; with two deaths among two workers, both must be replaced."""
    tasks = [Fail("die"), Square(2), Fail("die"), Fail("refuse"), Fail("break"), Square(3)]
    last = [news for news in pool.run_tasks(Queue(tasks)) if news.kind != "working"]
    ends = {news.task: news for news in last}
    kinds = ["killed", "done", "killed", "refused", "crashed", "done"]
    assert len(last) == len(tasks) and [ends[i].kind for i in range(len(tasks))] == kinds
    assert (ends[1].value, ends[5].value) == (4, 9)
    assert isinstance(ends[3].value, InvalidSetting) and str(ends[3].value) == "not like this"
    assert "ZeroDivisionError: a fault of ours" in ends[4].value
    with pytest.raises(InvalidSetting, match="not like this"):
        results([Square(1), Fail("refuse")], pool)
    with pytest.raises(RuntimeError, match="task 0 killed"):
        results([Fail("die")], pool)


def _check_bits(pool: Pool) -> None:
    """The last bits of sums depend on how many threads share them: here one, as in a worker."""
    tasks = [Solve(seed) for seed in range(6)]
    with threadpool_limits(1):
        here = [task(lambda value: None) for task in tasks]
    there = results(tasks, pool)
    assert [one == other for one, other in zip(here, there, strict=True)] == [True] * len(tasks)


def _check_end(pool: Pool, end: Callable[[Any], None]) -> None:
    """With both workers at work and a task that waits, nothing is left."""
    pids: list[int] = []
    with closing(pool.run_tasks(Queue([Stay(), Stay(), Stay()]))) as stream:
        for news in stream:
            pids.append(news.value)
            if len(pids) == 2:
                break
        assert news.kind == "working" and len(set(pids)) == 2
        end(stream)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def _close(stream: Any) -> None:
    stream.close()


def _interrupt(stream: Any) -> None:
    """Ctrl-C while the next news are waited for."""
    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            next(stream)
    finally:
        signal.signal(signal.SIGALRM, before)


def _check_traces(pool: Pool, keeps_processes: bool) -> None:
    """The third task may be in the process of the second, never in that of the first."""
    tasks = [Trace(True), Trace(False), Trace(False)]
    assert results(tasks, pool) == [None, None, "traces" if keeps_processes else None]
