"""Ctrl-C in a notebook: an exception to the caller, who lives on; no worker, nothing lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nasarena
from nasarena.experiments.commands.display import Display
from nasarena.search.run_folder import drop_measurements, find_runs, read_run

# What keeps the frames of the interrupted call alive, as IPython does for its debugger.
SCRIPT = """
import sys, time
import nasarena

def slow(space, rng, pause_s=0.004):
    while True:
        time.sleep(pause_s)
        yield space.sample(rng)

def compare():
    return nasarena.compare(
        ["random", slow], proxy="additive", seeds=2, budget={"patterns": 60},
        folder="runs", name="long", workers=2, references=False,
    )

try:
    compare()
except KeyboardInterrupt as error:
    held = error
    print("stopped", flush=True)
    sys.stdin.readline()
    compare()
print("ended", flush=True)
"""


def num_events(folder: Path) -> int:
    return sum(file.read_bytes().count(b"\n") for file in folder.rglob("events.jsonl"))


def workers(process: int) -> list[int]:
    """The worker processes of this one: what its fork servers have forked, and no vLLM."""
    parents: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents.setdefault(int(fields[1]), []).append(int(file.parent.name))
    servers = [child for child in parents.get(process, []) if is_fork_server(child)]
    return [worker for server in servers for worker in parents.get(server, [])]


def is_fork_server(process: int) -> bool:
    try:
        return b"fork_server" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False


def start(folder: Path) -> "subprocess.Popen[str]":
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_an_interrupted_call_leaves_no_worker_and_the_same_call_goes_on(tmp_path: Path) -> None:
    process = start(tmp_path / "interrupted")
    while num_events(tmp_path) < 60:
        assert process.poll() is None
        time.sleep(0.01)
    assert workers(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None and process.stdin is not None
    assert process.stdout.readline() == "stopped\n"
    kept = num_events(tmp_path)
    assert workers(process.pid) == []
    assert 60 <= kept == num_events(tmp_path)
    said, _ = process.communicate("\n", timeout=300)
    assert said == "ended\n"

    whole = start(tmp_path / "whole")
    assert whole.communicate(timeout=300)[0] == "ended\n"
    runs = [find_runs(tmp_path / name) for name in ("interrupted", "whole")]
    done = [[drop_measurements(read_run(path).events) for path in each] for each in runs]
    assert len(done[0]) == 4 and done[0] == done[1]


def test_an_interrupt_between_two_news_ends_the_workers_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(display: Display, progress: object) -> None:
        assert workers(os.getpid())
        raise KeyboardInterrupt

    monkeypatch.setattr(Display, "update", interrupt)
    with pytest.raises(KeyboardInterrupt) as held:
        nasarena.compare(["random"], proxy="additive", folder=tmp_path, workers=2, progress=False)
    assert workers(os.getpid()) == [] and held.value is not None
