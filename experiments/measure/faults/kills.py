"""`kill -9` of the parent, of one worker or of the whole group, at random moments of a comparison.

The process that forks the workers is struck as one of them.

Each time the same command is given again, and struck again further on. After each strike no settled
trial may have gone from the record, no process of it may live on, and no command may hang; in the
end the events must be those of the undisturbed comparison. A strike held if all that did.
"""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from nasarena.experiments.measure.faults.tally import Tally
from nasarena.experiments.measure.faults.victim import TARGETS, Victim, complaint, undisturbed
from nasarena.search.errors import NasArenaError
from nasarena.search.seeding import stream

WHOM = ("parent", "worker", "group")
_KILLS = 24  # of each, on each target
_ROUND = 8  # strikes before a comparison may come to its end
_LATEST_S = 0.05  # after the bytes at which a strike is due
_GRACE_S = 10.0  # in which the processes of a killed parent must have ended


def attack(effort: float) -> list[Tally]:
    """Strike; `effort` scales how often."""
    tallies = []
    with tempfile.TemporaryDirectory() as folder:
        for target, settings in TARGETS.items():
            peace = undisturbed(settings, Path(folder) / "peace", Path(folder) / "cache")
            for whom in WHOM:
                tally = Tally(target, f"kill -9 of the {whom}")
                rng = stream(0, "kills", target, whom)
                while tally.tried < max(1, round(_KILLS * effort)):
                    _strike_one_comparison(peace, whom, tally, rng)
                tallies.append(tally)
            _remove(peace.folder)
    return tallies


def _strike_one_comparison(
    peace: Victim, whom: str, tally: Tally, rng: np.random.Generator
) -> None:
    """Strikes at rising sizes of the record, then the command to its end."""
    victim = Victim(peace.settings, peace.folder.with_name("struck"), peace.cache)
    failure, strikes = "", 0
    for size in np.sort(rng.integers(0, peace.num_bytes(), _ROUND)).tolist():
        before = victim.settled()
        struck, wrong = _strike(victim, whom, size, rng)
        if not struck:
            break  # it came to its end before
        strikes += 1
        failure = failure or wrong or find_loss(before, victim)
    failure = failure or complaint(*victim.run(), allowed=[0])
    if not failure and victim.outcome() != peace.outcome():
        failure = "other events than those of the undisturbed comparison"
    tally.note(failure, strikes)
    _remove(victim.folder)


def _strike(victim: Victim, whom: str, size: int, rng: np.random.Generator) -> tuple[bool, str]:
    """Whether it was still running when its record had grown to `size`, and what went wrong."""
    with tempfile.TemporaryFile() as errors:
        process = victim.start(errors)
        while process.poll() is None and victim.num_bytes() <= size:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, _LATEST_S))
        alive = process.poll() is None
        if alive:
            _kill(process, whom, rng)
        wrong = _wait(process)
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    return alive, wrong or complaint(process.returncode, said, [0, 2, -9])


def _kill(process: "subprocess.Popen[bytes]", whom: str, rng: np.random.Generator) -> None:
    if whom == "group":
        os.killpg(process.pid, signal.SIGKILL)
    elif whom == "parent":
        process.kill()
    else:
        workers = _members(process.pid, besides=process.pid)
        if workers:
            os.kill(int(rng.choice(workers)), signal.SIGKILL)
        else:
            process.kill()  # it has none yet, or no more


def _wait(process: "subprocess.Popen[bytes]") -> str:
    """Until all its processes have ended; what is wrong with the time that took."""
    try:
        process.wait(timeout=300)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return "the command hung"
    deadline = time.monotonic() + _GRACE_S
    while left := _members(process.pid):
        if time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
            return f"{len(left)} processes lived on"
        time.sleep(0.02)
    return ""


def _members(group: int, besides: int = 0) -> list[int]:
    """Living processes of a process group."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] not in "ZX" and int(folder.name) != besides:
            found.append(int(folder.name))
    return sorted(found)


def find_loss(before: dict[str, int], victim: Victim) -> str:
    """What is gone of the trials that each run had on record; nothing where all are there."""
    try:
        after = victim.settled()
    except NasArenaError as error:
        return f"the record cannot be read: {error}"
    gone = [path for path, count in before.items() if after.get(path, 0) < count]
    return f"settled trials are gone from {gone[0]}" if gone else ""


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder)
