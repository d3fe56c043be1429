"""How much faster the engine trains patterns than a user of `transformers` would, in the same run.

Ours and the baseline (transformers_baseline.py) train the same patterns on the same tasks for the
same steps and score them on as many sequences, repeat by repeat in turn; medians are compared. On a
CPU ours runs as a comparison does, one process of one thread for each core, each with a population
of its own; the baseline gets the faster of that and of one process with a thread for each core. A
pattern of fixed kind is trained with as many run seeds as the population has members; the random
patterns form a mixed population, and count as eight patterns of the same ratio in the geometric
mean.

    python -m nasarena.experiments.measure.throughput [--save] [proxy.train.steps=60 ...]

Ours is timed whole: initial weights, data, training, scoring. Of the baseline only training and
scoring are. Trainings are half as long as the preset's, which is to our disadvantage: what a
population costs once is spread over fewer steps.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from math import exp, log
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from nasarena.experiments.execution.synchronized_pool import work_together
from nasarena.experiments.execution.workers import LocalPool
from nasarena.experiments.measure.engine.timed_trainings import (
    Took,
    measure_peaks,
    processor_s,
    proxy_of,
    random_patterns,
    time_baseline,
    time_ours,
    time_populations,
    trial_bytes,
    trial_flops,
    wall_s,
)
from nasarena.experiments.measure.record import record
from nasarena.search.machine import num_cores
from nasarena.search.notation import expand

if TYPE_CHECKING:
    from nasarena.proxies.trained import TrainedProxy

FIXED = {
    "AM*8": "AM" * 8,
    "SM*8": "SM" * 8,
    "S*16": "S" * 16,
    "A*16": "A" * 16,
    "M*16": "M" * 16,
    "ASM*5+M": "ASM" * 5 + "M",
    "2A5M2A3M1A3M": expand("2A5M2A3M1A3M"),
}
NUM_RANDOM = 8
NUM_REPEATS = 3
SIZES = (1, 2, 4, 8, 16, 32, 64)  # populations whose cost per trial is shown
SETTINGS = ("proxy=quick", "proxy.train.steps=30", "proxy.train.num_eval=64")


@dataclass(slots=True)
class Times:
    """Per trial of one kind of pattern, one entry a repeat; `baseline` by threads."""

    ours: list[Took] = field(default_factory=list)
    alone: list[Took] = field(default_factory=list)
    baseline: dict[int, list[Took]] = field(default_factory=dict)

    @property
    def baseline_s(self) -> float:
        """The baseline's better way, by its median."""
        return min(wall_s(each) for each in self.baseline.values())

    @property
    def processor_ratio(self) -> float:
        """The baseline's processor time over ours; other work on the machine hardly changes it."""
        baseline_s = min(processor_s(each) for each in self.baseline.values())
        return baseline_s / processor_s(self.ours)


def kinds() -> dict[str, list[str]]:
    """Patterns of each kind: one, or the random ones."""
    return {name: [pattern] for name, pattern in FIXED.items()} | {
        f"{NUM_RANDOM} random": random_patterns(NUM_RANDOM)
    }


def measure() -> None:
    """Train in turn, print, and keep if asked to."""
    settings = (*SETTINGS, *(word for word in sys.argv[1:] if not word.startswith("--")))
    count = num_cores()
    with ExitStack() as stack:
        ours = stack.enter_context(LocalPool(count))
        baselines = [ours]
        if count > 1:
            baselines.append(stack.enter_context(LocalPool(1, count)))
        warm_up_s = warm_up(ours, baselines, settings)
        times = time_kinds(ours, baselines, settings)
        peaks = work_together(ours, measure_peaks)
        scaling = {size: trial_seconds(ours, settings, size) for size in SIZES}
    rows, summary = summarize(times, settings, [sum(each) for each in zip(*peaks, strict=True)])
    summary |= {"warm_up_s": warm_up_s, "processes": count, "threads": 1}
    rows += [{"pattern": f"population of {n}", "ours_s": s} for n, s in scaling.items()]
    record("throughput", rows, summary)


def warm_up(ours: LocalPool, baselines: Sequence[LocalPool], settings: Sequence[str]) -> float:
    """Seconds of our first population, imports and compilation among them; then the baseline's."""
    start = time.perf_counter()
    work_together(ours, time_ours, settings, random_patterns(NUM_RANDOM), None)
    elapsed_s = time.perf_counter() - start
    for each in baselines:
        work_together(each, time_baseline, settings, ["AMS"])
    return elapsed_s


def time_kinds(
    ours: LocalPool,
    baselines: Sequence[LocalPool],
    settings: Sequence[str],
    num_repeats: int = NUM_REPEATS,
) -> dict[str, Times]:
    """Trials of every kind: in a population, alone, and the baseline's, in turn within a repeat."""
    times = {name: Times() for name in kinds()}
    for _ in range(num_repeats):
        for name, patterns in kinds().items():
            took = times[name]
            took.ours.append(_all(ours, time_ours, settings, patterns, None))
            took.alone.append(_all(ours, time_ours, settings, patterns, 1))
            for each in baselines:
                theirs = took.baseline.setdefault(each.num_threads, [])
                theirs.append(_all(each, time_baseline, settings, patterns))
            print(
                f"{name}: {wall_s(took.ours):.3g} s, baseline {took.baseline_s:.3g} s", flush=True
            )
    return times


def trial_seconds(ours: LocalPool, settings: Sequence[str], size: int) -> float:
    """Seconds per trial of the same random patterns, in populations of `size`."""
    sized = (*settings, f"proxy.population={size}")
    return wall_s([_all(ours, time_populations, sized, random_patterns(max(SIZES)))])


def summarize(
    times: Mapping[str, Times], settings: Sequence[str], peaks: Sequence[float]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows and summary; `peaks` are those of `measure_peaks`, of all processes together."""
    library_flops, *limits = peaks
    proxy = proxy_of(tuple(settings))
    rows: list[dict[str, Any]] = []
    for name, took in times.items():
        patterns, ours_s = kinds()[name], wall_s(took.ours)
        peak_share, bandwidth_share = shares_of_peaks(proxy, patterns, ours_s, limits)
        rows.append(
            {
                "pattern": name,
                "ours_s": ours_s,
                "alone_s": wall_s(took.alone),
                **{f"baseline_{n}_threads_s": wall_s(each) for n, each in took.baseline.items()},
                "ratio": took.baseline_s / ours_s,
                "alone_ratio": took.baseline_s / wall_s(took.alone),
                "processor_ratio": took.processor_ratio,
                "peak_share": peak_share,
                "bandwidth_share": bandwidth_share,
            }
        )
    summary = {
        "geomean_ratio": _over_patterns(rows, "ratio"),
        "min_kind_ratio": min(row["ratio"] for row in rows),
        "geomean_ratio_alone": _over_patterns(rows, "alone_ratio"),
        "geomean_processor_ratio": _over_patterns(rows, "processor_ratio"),
        "peak_share": median(row["peak_share"] for row in rows),
        "bandwidth_share": median(row["bandwidth_share"] for row in rows),
        "population": proxy.settings.population,
        "steps": proxy.settings.train.steps,
        "peak_gflops": limits[0] / 1e9,
        "library_gflops": library_flops / 1e9,
        "copied_gbytes_per_s": limits[1] / 1e9,
        "repeats": len(next(iter(times.values())).ours),
    }
    return rows, summary


def _over_patterns(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    """Geometric mean over patterns: the row of the random ones counts as often as they are."""
    weights = [1 if row["pattern"] in FIXED else NUM_RANDOM for row in rows]
    logs = [log(row[name]) for row in rows]
    return exp(fmean(logs, weights))


def shares_of_peaks(
    proxy: "TrainedProxy", patterns: Sequence[str], trial_s: float, peaks: Sequence[float]
) -> tuple[float, float]:
    """What of the peaks, FLOPs and bytes a second, trials of `patterns` use."""
    flops, bytes_ = (
        fmean(of(proxy, pattern) for pattern in patterns) for of in (trial_flops, trial_bytes)
    )
    return flops / trial_s / peaks[0], bytes_ / trial_s / peaks[1]


def _all(pool: LocalPool, work: Any, *arguments: Any) -> Took:
    """What all processes together took: the clock's time is that of the slowest."""
    found: list[Took] = work_together(pool, work, *arguments)
    return Took(
        max(took.wall_s for took in found),
        sum(took.processor_s for took in found),
        sum(took.trials for took in found),
    )


if __name__ == "__main__":
    measure()
