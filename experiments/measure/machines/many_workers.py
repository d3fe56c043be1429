"""64 simulated workers: Ray actors on this machine, whose trials sleep, and some of which die.

A trial sleeps between 10 ms and 10 s, log-uniformly, so that most are short and a few are long. Of
those in `killed`, the process is killed in the middle; it is begun again as `run_cells` does.
`efficiency` is the time slept in trials that ended, divided by the time that all workers had from
the first trial's begin to the last one's end: what is lost is the start of the other workers, the
handing out, the deaths, and the wait for the last ones. The 64 workers share this machine's cores
while they start, which takes `ramp_s`, where those of a cluster have a core each;
`efficiency_after_ramp` is the same from the moment on when the last one has begun. `lost` are
trials without a result, `repeated` those with two.

    python -m nasarena.experiments.measure.machines.many_workers [--save] [--workers=64]
      [--trials=12000]
"""

import os
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nasarena.experiments.execution.pool import Pool, Queue, Report
from nasarena.experiments.execution.ray_pool import RayPool
from nasarena.experiments.measure.record import read_option, record
from nasarena.search.seeding import stream

_SHORTEST_S, _LONGEST_S = 0.01, 10.0
_SHARE_KILLED = 0.01


class Slept(NamedTuple):
    """From when to when, by a clock that all processes of this machine share, and which worker."""

    start_s: float
    end_s: float
    worker: int


@dataclass(frozen=True, slots=True)
class Sleep:
    """A trial that sleeps; one that `dies` does so halfway."""

    seconds: float
    dies: bool = False

    def __call__(self, report: Report) -> Slept:
        """When and where it slept."""
        start_s = time.monotonic()
        if self.dies:
            time.sleep(self.seconds / 2)
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.seconds)
        return Slept(start_s, time.monotonic(), os.getppid())


def measure() -> None:
    """Measure, print, and keep if asked to."""
    num_workers, num_trials = read_option("workers", 64), read_option("trials", 12_000)
    rng = stream(0, "sleeping trials")
    draws = rng.uniform(np.log(_SHORTEST_S), np.log(_LONGEST_S), num_trials)
    dying = rng.uniform(size=num_trials) < _SHARE_KILLED
    trials = [Sleep(float(np.exp(x)), bool(dies)) for x, dies in zip(draws, dying, strict=True)]
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, RayPool(Path(folder), num_workers) as pool:
        ends, num_killed = sleep_all(trials, pool)
    slept = sorted(one for found in ends.values() for one in found)
    first = {one.worker: one.start_s for one in reversed(slept)}
    start_s = slept[0].start_s
    end_s = max(one.end_s for one in slept)
    ramp_s = sorted(first.values())[:num_workers][-1] - start_s
    row = {
        "workers": num_workers,
        "trials": num_trials,
        "planted_deaths": int(dying.sum()),
        "killed": num_killed,
        "lost": num_trials - len(ends),
        "repeated": sum(len(found) > 1 for found in ends.values()),
        "slept_s": slept_after(slept, start_s),
        "wall_s": end_s - start_s,
        "ramp_s": ramp_s,
        "start_and_end_s": time.perf_counter() - start - (end_s - start_s),
        "efficiency": efficiency(slept, num_workers, start_s),
        "efficiency_after_ramp": efficiency(slept, num_workers, start_s + ramp_s),
    }
    named = "efficiency", "efficiency_after_ramp", "lost", "repeated", "killed"
    summary = {key: row[key] for key in named}
    record("many_workers", [row], summary, module="machines.many_workers")


def efficiency(slept: list[Slept], num_workers: int, since_s: float) -> float:
    """The share of the workers' time from `since_s` to the last end that was slept."""
    end_s = max(one.end_s for one in slept)
    return slept_after(slept, since_s) / (num_workers * (end_s - since_s))


def slept_after(slept: list[Slept], since_s: float) -> float:
    """Seconds, of a trial that began before `since_s` what is left of it."""
    return sum(max(0.0, one.end_s - max(one.start_s, since_s)) for one in slept)


def sleep_all(trials: list[Sleep], pool: Pool) -> tuple[dict[int, list[Slept]], int]:
    """When each trial slept, by its number, and how many were killed; those are begun again."""
    queue, of = Queue(trials), {number: number for number in range(len(trials))}
    ends: dict[int, list[Slept]] = {}
    kinds: Counter[str] = Counter()
    for news in pool.run_tasks(queue):
        kinds[news.kind] += 1
        if news.kind == "done":
            ends.setdefault(of[news.task], []).append(news.value)
        elif news.kind == "killed":
            of[queue.add_first(Sleep(trials[of[news.task]].seconds))] = of[news.task]
    return ends, kinds["killed"]


if __name__ == "__main__":
    measure()
