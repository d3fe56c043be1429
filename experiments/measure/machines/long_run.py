"""One run of 100,000 trials: its file, its memory, how fast it resumes, whether asks get slower.

On a landscape that is a formula, so all time is the arena's and the searcher's. `slow_down` is the
median time of an ask and a tell over the last tenth of the run, divided by that over the second
(the first is warming up). The run is then opened again as if it had been cut off before its last
trials, and goes on: `resume_s`. `memory_mib` is the most that the process ever took.

    python -m nasarena.experiments.measure.machines.long_run [--save] [--trials=100000]
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from nasarena.experiments.measure.record import read_option, record
from nasarena.experiments.settings.registry import load_searcher
from nasarena.proxies.landscapes import additive
from nasarena.search.budget import Budget
from nasarena.search.loop import LoopSettings, run_to_end
from nasarena.search.run_folder import RunFolder
from nasarena.search.searcher import build_searcher
from nasarena.search.space import PatternSpace

SEARCHERS = ("random", "evolution")
NUM_TRIALS = 100_000
LEFT_TO_RESUME = 100
_WORST = ("events_mb", "resume_s", "resume_cpu_s", "slow_down")


def measure() -> None:
    """Measure each searcher in a process of its own, print, and keep if asked to."""
    num_trials = read_option("trials", NUM_TRIALS)
    rows = []
    for name in SEARCHERS:
        with tempfile.TemporaryDirectory() as folder:
            once = [_in_process("run", name, num_trials, folder)]
            _cut(Path(folder), LEFT_TO_RESUME)
            once.append(_in_process("resume", name, num_trials, folder))
        rows.append({"searcher": name, "trials": num_trials, **once[0], **once[1]})
    record(
        "long_run",
        rows,
        {
            "memory_mib": max(max(row["memory_mib"], row["resume_memory_mib"]) for row in rows),
            **{key: max(row[key] for row in rows) for key in _WORST},
        },
        module="machines.long_run",
    )


def run(name: str, num_trials: int, folder: Path) -> dict[str, Any]:
    """The whole run: seconds, the size of its file, memory, and asks late and early."""
    start = time.perf_counter()
    run_in(folder, name, num_trials)
    took_s = time.perf_counter() - start
    file = folder / "events.jsonl"
    times_s = [
        measured["ask_s"] + measured["tell_s"]
        for event in map(json.loads, file.open())
        if event["event"] == "asked" and "ask_s" in (measured := event["measured"])
    ]
    tenth = len(times_s) // 10
    early, late = median(times_s[tenth : 2 * tenth]), median(times_s[-tenth:])
    return {
        "run_s": took_s,
        "events_mb": file.stat().st_size / 1e6,
        "early_ask_us": 1e6 * early,
        "late_ask_us": 1e6 * late,
        "slow_down": late / early,
        "memory_mib": _peak_mib(),
    }


def resume(name: str, num_trials: int, folder: Path) -> dict[str, Any]:
    """The same run once more where it was cut off."""
    start, cpu = time.perf_counter(), time.process_time()
    run_in(folder, name, num_trials)
    return {
        "resume_s": time.perf_counter() - start,
        "resume_cpu_s": time.process_time() - cpu,
        "resume_memory_mib": _peak_mib(),
    }


def run_in(folder: Path, name: str, num_trials: int) -> None:
    """A run to its end, from wherever it stands."""
    proxy = additive(PatternSpace("AMS", 16))
    # Duplicates cost no budget, and 100 in a row would end a run that has converged.
    budget = Budget("trials", num_trials)
    settings = LoopSettings(0, budget, duplicates="retrain", finalists=0)
    spec = load_searcher(name)
    with RunFolder(folder, {"searcher": name}, {}) as opened:
        run_to_end(
            opened,
            lambda rng: build_searcher(spec, proxy.space, rng, {}, num_trials=num_trials),
            proxy,
            settings,
        )


def _cut(folder: Path, num_trials: int) -> None:
    """Take the last trials off the record, as if the run had been killed there."""
    file = folder / "events.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[: -2 * num_trials - 2]))


def _in_process(what: str, name: str, num_trials: int, folder: str) -> dict[str, Any]:
    command = [sys.executable, "-m", __spec__.name, what, name, str(num_trials), folder]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    if sys.argv[1:2] in (["run"], ["resume"]):
        what, name, trials, where = sys.argv[1:5]
        do = run if what == "run" else resume
        print(json.dumps(do(name, int(trials), Path(where))))
    else:
        measure()
