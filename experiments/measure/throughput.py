"""How much faster the engine trains patterns than a user of `transformers` would, in the same run.

Ours and the peer (peer.py) train the same patterns on the same tasks for the same steps and score
them on as many sequences, repeat by repeat in turn; medians are compared. On a CPU ours runs as a
comparison does, one process of one thread for each core, each with a population of its own; the
peer gets the faster of that and of one process with a thread for each core. A pattern of fixed kind
is trained with as many run seeds as the population has members; the random patterns form a mixed
population, and count as eight patterns of the same ratio in the geometric mean.

    python -m nasarena.experiments.measure.throughput [--save] [proxy.train.steps=60 ...]

Ours is timed whole: initial weights, data, training, scoring. Of the peer only training and scoring
are. Trainings are half as long as the preset's, which is to our disadvantage: what a population
costs once is spread over fewer steps.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from math import exp, log
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from nasarena.experiments.measure.record import record
from nasarena.experiments.measure.synchronized_pool import Crew, crew
from nasarena.search.notation import expand
from nasarena.search.proxy import TrialSeed
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

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


@dataclass(frozen=True, slots=True)
class Took:
    """What some trials took: seconds on the clock, and of all processors together."""

    wall_s: float
    processor_s: float
    trials: int


@dataclass(slots=True)
class Times:
    """Per trial of one kind of pattern, one entry a repeat; `peer` by threads."""

    ours: list[Took] = field(default_factory=list)
    alone: list[Took] = field(default_factory=list)
    peer: dict[int, list[Took]] = field(default_factory=dict)

    @property
    def peer_s(self) -> float:
        """The peer's better way, by its median."""
        return min(wall_s(each) for each in self.peer.values())

    @property
    def processor_ratio(self) -> float:
        """The peer's processor time over ours; other work on the machine hardly changes it."""
        peer_s = min(processor_s(each) for each in self.peer.values())
        return peer_s / processor_s(self.ours)


def wall_s(repeats: Sequence[Took]) -> float:
    """Median seconds on the clock per trial."""
    return median(took.wall_s / took.trials for took in repeats)


def processor_s(repeats: Sequence[Took]) -> float:
    """Median seconds of processors per trial."""
    return median(took.processor_s / took.trials for took in repeats)


def kinds() -> dict[str, list[str]]:
    """Patterns of each kind: one, or the random ones."""
    return {name: [pattern] for name, pattern in FIXED.items()} | {
        f"{NUM_RANDOM} random": random_patterns(NUM_RANDOM)
    }


def random_patterns(count: int) -> list[str]:
    """The first patterns of one fixed stream."""
    space, rng = PatternSpace("AMS", 16), stream(0, "throughput patterns")
    return [space.sample(rng) for _ in range(count)]


def measure() -> None:
    """Train in turn, print, and keep if asked to."""
    settings = (*SETTINGS, *(word for word in sys.argv[1:] if not word.startswith("--")))
    num_cores = len(os.sched_getaffinity(0))
    with ExitStack() as stack:
        ours = stack.enter_context(crew(num_cores, 1))
        peers = [ours]
        if num_cores > 1:
            peers.append(stack.enter_context(crew(1, num_cores)))
        warm_up_s = warm_up(ours, peers, settings)
        times = time_kinds(ours, peers, settings)
        peaks = ours.all_do(_peaks)
        scaling = {size: trial_seconds(ours, settings, size) for size in SIZES}
    rows, summary = summarize(times, settings, [sum(each) for each in zip(*peaks, strict=True)])
    summary |= {"warm_up_s": warm_up_s, "processes": num_cores, "threads": 1}
    rows += [{"pattern": f"population of {n}", "ours_s": s} for n, s in scaling.items()]
    record("throughput", rows, summary)


def warm_up(ours: Crew, peers: Sequence[Crew], settings: Sequence[str]) -> float:
    """Seconds of our first population, imports and compilation among them; then the peer's."""
    start = time.perf_counter()
    ours.all_do(_ours, settings, random_patterns(NUM_RANDOM), None)
    elapsed_s = time.perf_counter() - start
    for each in peers:
        each.all_do(_peer, settings, ["AMS"])
    return elapsed_s


def time_kinds(
    ours: Crew, peers: Sequence[Crew], settings: Sequence[str], num_repeats: int = NUM_REPEATS
) -> dict[str, Times]:
    """Trials of every kind: in a population, alone, and the peer's, in turn within a repeat."""
    times = {name: Times() for name in kinds()}
    for _ in range(num_repeats):
        for name, patterns in kinds().items():
            took = times[name]
            took.ours.append(_all(ours, _ours, settings, patterns, None))
            took.alone.append(_all(ours, _ours, settings, patterns, 1))
            for each in peers:
                theirs = took.peer.setdefault(each.num_threads, [])
                theirs.append(_all(each, _peer, settings, patterns))
            print(f"{name}: {wall_s(took.ours):.3g} s, peer {took.peer_s:.3g} s", flush=True)
    return times


def trial_seconds(ours: Crew, settings: Sequence[str], size: int) -> float:
    """Seconds per trial of the same random patterns, in populations of `size`."""
    sized = (*settings, f"proxy.population={size}")
    return wall_s([_all(ours, _in_populations, sized, random_patterns(max(SIZES)))])


def summarize(
    times: Mapping[str, Times], settings: Sequence[str], peaks: Sequence[float]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows and summary; `peaks` are those of `_peaks`, of all processes together."""
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
                **{f"peer_{n}_threads_s": wall_s(took.peer[n]) for n in sorted(took.peer)},
                "ratio": took.peer_s / ours_s,
                "alone_ratio": took.peer_s / wall_s(took.alone),
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


def trial_flops(proxy: "TrainedProxy", pattern: str) -> float:
    """Useful FLOPs of one trial: its training, three forward passes a step, and its scoring."""
    from nasarena.proxies.models.flops import forward_flops

    return sum(
        training.cost(pattern).flops
        + training.settings.num_eval * forward_flops(pattern, training.model, training.sequence)
        for training in proxy.task_trainings
    )


def trial_bytes(proxy: "TrainedProxy", pattern: str) -> float:
    """Bytes that training must move at least: what is kept for the backward pass is written and
    read, weights are read twice, gradients written and read, weights and moments updated."""
    from nasarena.proxies.models.flops import num_parameters

    return sum(
        model.train.steps
        * (
            2 * model.activation_bytes(pattern)
            + 10 * 4 * num_parameters(pattern, model.shape, model.sequence)
        )
        for model in proxy.memory
    )


@lru_cache(maxsize=16)
def proxy_of(settings: tuple[str, ...]) -> "TrainedProxy":
    """The proxy of these settings, without the cache."""
    from nasarena.experiments.execution.scoring import build_proxy
    from nasarena.experiments.settings.config import evaluate_config
    from nasarena.proxies.trained import TrainedProxy

    config = evaluate_config(settings)
    proxy = build_proxy(config.proxy, config.space, cache=False)
    assert isinstance(proxy, TrainedProxy)
    return proxy


def _all(crew: Crew, work: Any, *arguments: Any) -> Took:
    """What all processes together took: the clock's time is that of the slowest."""
    found: list[Took] = crew.all_do(work, *arguments)
    return Took(
        max(took.wall_s for took in found),
        sum(took.processor_s for took in found),
        sum(took.trials for took in found),
    )


def _ours(settings: Sequence[str], patterns: Sequence[str], size: int | None) -> Took:
    """Populations of `size`, None for the proxy's own; with 1 patterns train one after another."""
    proxy = proxy_of(tuple(settings))
    members = size or proxy.settings.population
    rounds = [patterns] if members > 1 else [[pattern] for pattern in patterns]
    return _time_evaluations(
        proxy,
        [
            (
                [some[i % len(some)] for i in range(members)],
                [TrialSeed(i // len(some)) for i in range(members)],
            )
            for some in rounds
        ],
    )


def _in_populations(settings: Sequence[str], patterns: Sequence[str]) -> Took:
    """All patterns once, in populations as large as the settings allow."""
    return _time_evaluations(
        proxy_of(tuple(settings)), [(patterns, [TrialSeed(0)] * len(patterns))]
    )


def _time_evaluations(
    proxy: "TrainedProxy", rounds: Sequence[tuple[Sequence[str], Sequence[TrialSeed]]]
) -> Took:
    """What it takes to evaluate these patterns with these seeds, round after round."""
    start, start_cpu = time.perf_counter(), time.process_time()
    for patterns, seeds in rounds:
        if any(outcome.status != "ok" for outcome in proxy.evaluate(patterns, seeds)):
            raise RuntimeError("a training failed: its time would mean nothing")
    took_s = time.perf_counter() - start, time.process_time() - start_cpu
    return Took(*took_s, sum(len(patterns) for patterns, _ in rounds))


def _peer(settings: Sequence[str], patterns: Sequence[str]) -> Took:
    """The peer's trials, one after the other."""
    import torch

    from nasarena.experiments.measure.transformers_baseline import peer_seconds

    proxy = proxy_of(tuple(settings))
    device = torch.device(proxy.settings.device)
    start_cpu = time.process_time()
    times_s = [
        peer_seconds(pattern, training.model, training.task, training.settings, device)
        for pattern in patterns
        for training in proxy.task_trainings
    ]
    return Took(sum(times_s), time.process_time() - start_cpu, len(patterns))


def _peaks() -> tuple[float, float, float]:
    """FLOPs a second of torch's batched products and of the fastest at hand, and bytes a second."""
    import torch

    from nasarena.experiments.measure.peaks import copy_bandwidth, matmul_flops, native_matmul_flops

    device = torch.device("cpu")
    library = matmul_flops(device)
    return library, max(library, native_matmul_flops()), copy_bandwidth(device)


if __name__ == "__main__":
    measure()
