"""Worker processes: the contract of pools, and what is special about those of this machine."""

import importlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from pool_contract import check_pool

from nasarena.experiments.execution.pool import Queue, Report, results
from nasarena.experiments.execution.synchronized_pool import work_together
from nasarena.experiments.execution.workers import LocalPool


@dataclass(frozen=True)
class Tell:
    what: str

    def __call__(self, report: Report) -> object:
        if self.what == "leave":
            os._exit(3)
        if self.what == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        return os.getpid() if self.what == "pid" else os.environ[self.what]


def test_the_contract_of_pools() -> None:
    check_pool(LocalPool)


def test_a_worker_serves_several_tasks_with_the_threads_it_was_given() -> None:
    threads = Tell("OMP_NUM_THREADS")
    first, second, one = results([Tell("pid"), Tell("pid"), threads], LocalPool(1))
    assert first == second != os.getpid()
    assert (one, *results([threads], LocalPool(1, num_threads=3))) == ("1", "3")


@dataclass(frozen=True)
class Call:
    """A task that calls a function of a module."""

    module: str
    name: str
    arguments: tuple[object, ...] = ()

    def __call__(self, report: Report) -> object:
        return getattr(importlib.import_module(self.module), self.name)(*self.arguments)


def test_workers_are_forked_from_one_process_of_one_thread() -> None:
    server = Call("os", "getppid")
    (first,), (second,) = results([server], LocalPool(1)), results([server], LocalPool(1))
    assert first == second != os.getpid()
    assert len(os.listdir(f"/proc/{first}/task")) == 1  # so that forking it is safe


def test_a_worker_is_where_its_parent_is_when_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    where, says = Call("os", "getcwd"), Call("os", "write", (1, b"heard"))
    results([where], LocalPool(1))  # its server runs by now
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SINCE", "then")
    assert results([where, Tell("SINCE"), says], LocalPool(1)) == [str(tmp_path), "then", 5]
    assert capfd.readouterr().out == "heard"


def test_each_worker_has_a_random_state_of_its_own() -> None:
    for draw in (Call("random", "random"), Call("numpy.random", "rand")):
        (first,), (second,) = results([draw], LocalPool(1)), results([draw], LocalPool(1))
        assert first != second


def test_a_server_that_was_killed_is_replaced_and_costs_no_worker() -> None:
    server = Call("os", "getppid")
    with LocalPool(1) as pool:
        worker, found = results([Tell("pid"), server], pool)
        assert isinstance(found, int)
        os.kill(found, signal.SIGKILL)
        assert results([Tell("pid")], pool) == [worker]
    (other,) = results([server], LocalPool(1))
    assert other != found


def test_a_worker_that_is_gone_is_significant_by_how_it_went() -> None:
    news = LocalPool(2).run_tasks(Queue([Tell("die"), Tell("leave")]))
    assert {one.task: one.value for one in news} == {0: "signal SIGKILL", 1: "exit code 3"}


def test_a_pool_that_is_open_keeps_its_workers_and_replaces_the_dead() -> None:
    with LocalPool(1) as pool:
        (first,), (second,) = results([Tell("pid")], pool), results([Tell("pid")], pool)
        assert first == second
        with pytest.raises(RuntimeError, match="exit code 3"):
            results([Tell("leave")], pool)
        (third,) = results([Tell("pid")], pool)
        assert third != first
    with pytest.raises(ProcessLookupError):
        os.kill(third, 0)


def test_work_begins_together_in_all_workers() -> None:
    with LocalPool(3) as pool:
        pids = work_together(pool, os.getpid)
        assert len(set(pids)) == 3 and set(work_together(pool, os.getpid)) == set(pids)


FRESH = """
import signal
from nasarena.experiments.execution.workers import LocalPool
from nasarena.experiments.execution.pool import results

def is_blocked(report):
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])

if __name__ == "__main__":
    assert results([is_blocked, is_blocked], LocalPool(2)) == [True, True]
    assert not is_blocked(None)
"""


def test_ctrl_c_never_reaches_a_worker_not_even_the_first(tmp_path: Path) -> None:
    """In a process of its own, where nothing was started before."""
    script = tmp_path / "fresh.py"
    script.write_text(FRESH)
    subprocess.run([sys.executable, str(script)], check=True)


UNGUARDED = """
from nasarena.experiments.execution.workers import LocalPool
from nasarena.experiments.execution.pool import results

class Power:
    def __init__(self, base):
        self.base = base

    def __call__(self, report):
        return Power(self.base ** 2)

tasks = [Power(2), Power(3)]
print(*(power.base for power in results(tasks, LocalPool(2))), isinstance(tasks[0], Power))
"""


@pytest.mark.parametrize("way", ["file", "standard input"])
def test_a_script_needs_no_guard_and_no_file(tmp_path: Path, way: str) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(UNGUARDED)
    ran = subprocess.run(
        [sys.executable, str(script) if way == "file" else "-"],
        input=UNGUARDED,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert (ran.stdout, ran.stderr) == ("4 9 True\n", "")


def test_a_worker_finds_what_its_parent_can_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "beside_me.py").write_text("def task(report):\n    return 'found'\n")
    monkeypatch.syspath_prepend(tmp_path)
    from beside_me import task  # type: ignore[import-not-found]

    assert results([task], LocalPool(1)) == ["found"]
