"""`kill -9` at random moments of a run, resumed each time: what does it cost?

One run is made without interruption. The same run is made again in another folder, and its whole
process group is killed 20 times: after a random number of bytes has been written, plus a random
moment. After each kill no settled trial may have gone from the record, none may be there twice,
and in the end the events must be those of the uninterrupted run but for measured times. Both runs
share the machine's calibration of seconds, and nothing else.

`python -m nasarena.experiments.measure.resume [--save]`
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nasarena.experiments.measure.record import record
from nasarena.search.run_folder import drop_measurements, read_run
from nasarena.search.seeding import stream

NUM_KILLS = 20
RUNS = {
    "evolution on additive": ["searcher=evolution", "proxy=additive", "budget.patterns=1500"],
    "tpe on additive": ["searcher=tpe", "proxy=additive", "budget.patterns=200"],
    "evolution on quick": ["searcher=evolution", "proxy=quick", "budget.patterns=24"],
}


def main() -> None:
    """Measure and record."""
    rows = [measure_resume(name, settings) for name, settings in RUNS.items()]
    summary = {
        "kills": sum(row["kills"] for row in rows),
        "identical": all(row["identical"] for row in rows),
        "lost": sum(row["lost"] for row in rows),
        "repeated": sum(row["repeated"] for row in rows),
    }
    record("resume", rows, summary)


def measure_resume(name: str, settings: Sequence[str]) -> dict[str, Any]:
    """One run against itself with kills."""
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        _start(settings, whole, Path(folder) / "cache-whole").wait()
        calibration = Path(folder) / "cache-whole" / "calibration"
        if calibration.exists():
            shutil.copytree(calibration, Path(folder) / "cache" / "calibration")
        size = _events(whole).stat().st_size
        rng = stream(0, "kills", name)
        counts = _kill_often(settings, killed, Path(folder) / "cache", size, rng)
        process = _start(settings, killed, Path(folder) / "cache")
        if process.wait() != 0:
            raise RuntimeError(f"the last resume of {name} ended with {process.returncode}")
        events = [drop_measurements(read_run(_events(at).parent).events) for at in (whole, killed)]
        return {
            "run": name,
            "events": len(events[0]),
            **counts,
            "identical": events[0] == events[1],
        }


def _kill_often(
    settings: Sequence[str], folder: Path, cache: Path, size: int, rng: np.random.Generator
) -> dict[str, int]:
    counts = {"kills": 0, "torn": 0, "lost": 0, "repeated": 0}
    settled: set[str] = set()
    # Where in the file to strike, spread over the run; the last bytes are left to the last resume.
    for strike in np.sort(rng.integers(0, int(size * 0.97), NUM_KILLS)).tolist():
        process = _start(settings, folder, cache)
        while process.poll() is None and _size(folder) <= strike:
            time.sleep(0.0002)
        time.sleep(rng.uniform(0, 0.01))
        if process.poll() is not None:
            break  # it came to its end before the strike
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        counts["kills"] += 1
        if not _size(folder):
            continue
        found = read_run(_events(folder).parent)
        counts["torn"] += found.torn_bytes > 0
        trials = [json.dumps(event["trial"]) for event in found.of_kind("settled")]
        counts["lost"] += len(settled - set(trials))
        counts["repeated"] += len(trials) - len({json.loads(text)["index"] for text in trials})
        settled = set(trials)
    return counts


def _start(settings: Sequence[str], folder: Path, cache: Path) -> "subprocess.Popen[bytes]":
    """The run in a process group of its own, with a cache of its own."""
    code = "from nasarena.experiments.commands.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", code, "run", *settings, "name=run", f"folder={folder}"]
    return subprocess.Popen(
        command,
        env={**os.environ, "NASARENA_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def _events(folder: Path) -> Path:
    return next((folder / "run").rglob("run.json")).parent / "events.jsonl"


def _size(folder: Path) -> int:
    try:
        return _events(folder).stat().st_size
    except (StopIteration, FileNotFoundError):
        return 0


if __name__ == "__main__":
    main()
