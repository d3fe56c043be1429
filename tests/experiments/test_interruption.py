"""Ctrl-C and kill -9: nothing settled is lost, and the same command goes on to the same events."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nasarena.experiments.measure.machines.same_events import events_below

SLOW = """
import time

def slow(space, rng, pause_s=0.004):
    while True:
        time.sleep(pause_s)
        yield space.sample(rng)
"""
ARGUMENTS = (
    "compare proxy=additive name=x budget=trials budget.amount=150 seeds=2 report=false workers=2"
)


def start(folder: Path) -> "subprocess.Popen[str]":
    """The comparison of one slow searcher, in a process group of its own."""
    (folder / "slow.py").write_text(SLOW)
    code = "from nasarena.experiments.commands.cli import main; raise SystemExit(main())"
    arguments = [*ARGUMENTS.split(), "searchers=[slow.py:slow]", "references=false"]
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def num_events(folder: Path) -> int:
    files = (folder / "runs").rglob("events.jsonl")
    return sum(file.read_bytes().count(b"\n") for file in files)


def wait_for(folder: Path, count: int, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 60
    while num_events(folder) < count:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)


def events(folder: Path) -> dict[str, list[dict[str, object]]]:
    return events_below(folder / "runs")


@pytest.fixture(scope="module")
def whole_events(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, object]]]:
    folder = tmp_path_factory.mktemp("whole")
    process = start(folder)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return events(folder)


def test_kill_9_of_the_whole_group_is_resumed_exactly(
    tmp_path: Path, whole_events: dict[str, list[dict[str, object]]]
) -> None:
    for count in (40, 200, 370):
        process = start(tmp_path)
        wait_for(tmp_path, count, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    # What a power cut may leave: half a line.
    with next((tmp_path / "runs").rglob("events.jsonl")).open("ab") as file:
        file.write(b'{"event":"settled","tri')
    process = start(tmp_path)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert events(tmp_path) == whole_events


@pytest.mark.parametrize("to_group", [True, False], ids=["terminal", "parent-only"])
def test_ctrl_c_is_one_line_and_resumed_exactly(
    tmp_path: Path, to_group: bool, whole_events: dict[str, list[dict[str, object]]]
) -> None:
    process = start(tmp_path)
    wait_for(tmp_path, 100, process)
    if to_group:  # what a terminal does
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert len(errors.strip().splitlines()) == 1, errors
    line = errors.strip()
    assert "every settled trial is kept" in line and "nasarena compare proxy=additive" in line
    kept = num_events(tmp_path)
    assert kept >= 100
    time.sleep(0.1)
    assert num_events(tmp_path) == kept  # no worker writes on
    process = start(tmp_path)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert events(tmp_path) == whole_events


def test_a_worker_ends_when_the_parent_is_killed(tmp_path: Path) -> None:
    process = start(tmp_path)
    wait_for(tmp_path, 60, process)
    process.kill()  # the parent alone: nobody is left to end the workers
    process.wait()
    time.sleep(0.5)
    before = num_events(tmp_path)
    time.sleep(0.3)
    assert num_events(tmp_path) == before
    process.communicate()
