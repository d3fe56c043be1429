"""Worker processes: results, order, and what a worker that dies or raises costs."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from nasarena.experiments.execution.workers import News, Report, results, run_tasks
from nasarena.search.errors import InvalidSetting


@dataclass(frozen=True)
class Square:
    number: int

    def __call__(self, report: Report) -> int:
        report(self.number)
        return self.number**2


@dataclass(frozen=True)
class Behave:
    how: str

    def __call__(self, report: Report) -> object:
        if self.how == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "leave":
            os._exit(3)
        if self.how == "refuse":
            raise InvalidSetting("not like this")
        if self.how == "break":
            raise ZeroDivisionError("a fault of ours")
        if self.how == "sleep":
            time.sleep(600)
        return os.getpid() if self.how == "pid" else os.environ["OMP_NUM_THREADS"]


def test_results_come_in_the_order_of_the_tasks() -> None:
    seen: list[News] = []
    assert results([Square(n) for n in range(5)], 2, seen.append) == [0, 1, 4, 9, 16]
    assert [news.kind for news in seen].count("done") == 5
    assert {news.value for news in seen if news.kind == "working"} <= set(range(5))


def test_a_worker_serves_several_tasks_with_one_thread() -> None:
    first, second, threads = results([Behave("pid"), Behave("pid"), Behave("")], 1, lambda n: None)
    assert first == second != os.getpid()
    assert threads == "1"


def test_a_worker_that_dies_costs_its_own_task_only() -> None:
    tasks = [
        Behave("die"),
        Square(2),
        Behave("leave"),
        Square(3),
        Behave("refuse"),
        Behave("break"),
    ]
    ends = {news.task: news for news in run_tasks(tasks, 2) if news.kind != "working"}
    assert {task: news.kind for task, news in ends.items()} == {
        0: "killed",
        1: "done",
        2: "killed",
        3: "done",
        4: "refused",
        5: "crashed",
    }
    assert ends[0].value == "signal SIGKILL" and ends[2].value == "exit code 3"
    assert str(ends[4].value) == "not like this"
    assert "ZeroDivisionError: a fault of ours" in ends[5].value


def test_what_a_task_refuses_is_raised_as_it_was() -> None:
    with pytest.raises(InvalidSetting, match="not like this"):
        results([Square(1), Behave("refuse")], 1, lambda news: None)


def test_closing_ends_the_workers_at_once() -> None:
    tasks = run_tasks([Square(1), Behave("sleep"), Behave("sleep")], 2)
    while next(tasks).kind != "done":
        pass
    started = time.monotonic()
    tasks.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 60  # and not after the sleep


FRESH = """
import signal
from nasarena.experiments.execution.workers import results

def is_blocked(report):
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])

if __name__ == "__main__":
    assert results([is_blocked, is_blocked], 2, lambda news: None) == [True, True]
    assert not is_blocked(None)
"""


def test_ctrl_c_never_reaches_a_worker_not_even_the_first(tmp_path: Path) -> None:
    """In a process of its own, where nothing was started before."""
    script = tmp_path / "fresh.py"
    script.write_text(FRESH)
    subprocess.run([sys.executable, str(script)], check=True)


UNGUARDED = """
from nasarena.experiments.execution.workers import results

class Power:
    def __init__(self, base):
        self.base = base

    def __call__(self, report):
        return Power(self.base ** 2)

tasks = [Power(2), Power(3)]
print(*(power.base for power in results(tasks, 2, lambda news: None)), isinstance(tasks[0], Power))
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

    assert results([task], 1, lambda news: None) == ["found"]
