"""What the sandbox holds here, what it costs, and what a killed caller leaves behind.

python -m nasarena.experiments.measure.faults.sandbox [starts] [--save]

`starts` measures what a start costs and nothing else, which takes a minute (`sandbox_starts`).
"""

import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from nasarena.experiments.measure.faults.processes import living_below, wait_for_end
from nasarena.experiments.measure.record import record
from nasarena.proxies.sandbox.escapes import try_escapes
from nasarena.proxies.sandbox.levels import why_missing
from nasarena.proxies.sandbox.limits import LEVELS, Level, Limits
from nasarena.proxies.sandbox.runner import Sandbox, run_command

NUM_KILLS = 20
NUM_STARTS = 20
_OF_A_TRIAL = 3  # sandboxes: to train, and to answer twice
_PATIENCE_S = 15.0

# A caller of sandboxes, in which daemons sleep; it says when the first is there.
CALLER = """
import sys
from nasarena.proxies.sandbox.runner import Sandbox
code = '''
import os, time
print("here", flush=True)
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0: time.sleep(120)
        os._exit(0)
time.sleep(0.5)
'''
while True:
    with Sandbox((sys.executable, "-I", "-S", "-c", code)) as sandbox:
        print(sandbox.output.read(4), flush=True)
        sandbox.output.read()
"""


_COMPILE = """
import torch
from torch.utils.data import DataLoader, TensorDataset
data = TensorDataset(torch.arange(64.0))
assert sum(x.sum() for (x,) in DataLoader(data, batch_size=8, num_workers=2)) == 2016
step = torch.compile(lambda x: (x.sin() + x.cos()).sum())
assert abs(step(torch.ones(16)) - 22.1084) < 1e-2
print("compiled")
"""


def kill_caller(delay_s: float) -> tuple[int, int]:
    """Kill -9 a caller `delay_s` after its first sandbox started.

    How many processes there were below it, and how many of them are there some seconds later.
    """
    with subprocess.Popen((sys.executable, "-c", CALLER), stdout=subprocess.PIPE) as caller:
        assert caller.stdout
        caller.stdout.readline()
        time.sleep(delay_s)
        below = living_below(caller.pid)
        caller.send_signal(signal.SIGKILL)
    return len(below), len(wait_for_end(below, _PATIENCE_S))


def start_seconds(level: Level) -> dict[str, float]:
    """Wall seconds of a sandboxed Python that does nothing, less the median of a bare one: median
    and worst."""
    command = (sys.executable, "-I", "-S", "-c", "pass")
    fenced, bare = [], []
    for _ in range(NUM_STARTS):
        start = time.monotonic()
        run_command(command, level=level)
        fenced.append(time.monotonic() - start)
        start = time.monotonic()
        subprocess.run(command, check=True)
        bare.append(time.monotonic() - start)
    usual = statistics.median(bare)
    return {"start_s": statistics.median(fenced) - usual, "worst_start_s": max(fenced) - usual}


def trial_seconds() -> dict[str, float]:
    """Wall seconds of the sandboxes of a trial whose scripts, forked from a Python with PyTorch, do
    nothing: median and worst."""
    script = str(Path(__file__).with_name("__init__.py"))  # a docstring, so it does nothing
    found = []
    for _ in range(NUM_STARTS + 1):
        start = time.monotonic()
        for _ in range(_OF_A_TRIAL):
            with Sandbox((sys.executable, script), readable=(script,), script=script) as sandbox:
                sandbox.output.read()
                sandbox.wait(time.monotonic() + 60)
        found.append(time.monotonic() - start)
    del found[0]  # imports PyTorch
    return {"trial_s": statistics.median(found), "worst_trial_s": max(found)}


def compile_seconds(level: Level) -> float | None:
    """Seconds of a sandbox that imports PyTorch, loads data in two workers and compiles a step."""
    limits = Limits(wall_s=300, memory_mib=4096)
    found = run_command((sys.executable, "-I", "-c", _COMPILE), limits, level)
    return found.ending.seconds if b"compiled" in found.output else None


def measure() -> None:
    """Try, kill, time, print, and keep if asked to."""
    rows: list[dict[str, Any]] = []
    for level in LEVELS:
        if level == "container" or (missing := why_missing(level)):
            words = "a command line of yours" if level == "container" else missing
            rows.append({"level": level, "not_held": words})
            continue
        held = try_escapes(level)
        rows.append({
            "level": level,
            "attempts": len(held),
            "held": sum(held.values()),
            **start_seconds(level),
            "compile_s": compile_seconds(level),
            "not_held": "; ".join(name for name, is_held in held.items() if not is_held),
        })  # fmt: skip
    moments = random.Random(0)
    kills = [kill_caller(moments.uniform(0.0, 1.5)) for _ in range(NUM_KILLS)]
    summary = {
        "kernel": platform.release(),
        "user": "root" if os.geteuid() == 0 else "not root",
        "kills": NUM_KILLS,
        "processes_below": sum(below for below, _ in kills),
        "processes_left": sum(left for _, left in kills),
        **trial_seconds(),
    }
    record("sandbox", rows, summary, module="faults.sandbox")


def measure_starts() -> None:
    """What a start costs at each level that is there, and those of a trial."""
    levels = [one for one in LEVELS if one != "container" and not why_missing(one)]
    rows = [{"level": level, **start_seconds(level)} for level in levels]
    record("sandbox_starts", rows, trial_seconds(), module="faults.sandbox")


if __name__ == "__main__":
    measure_starts() if "starts" in sys.argv else measure()
