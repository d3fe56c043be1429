"""Trainings by our engine and by the baseline, with a clock, and what a trial must cost."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import TYPE_CHECKING

from nasarena.search.proxy import TrialSeed
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

if TYPE_CHECKING:
    from nasarena.proxies.trained import TrainedProxy


@dataclass(frozen=True, slots=True)
class Took:
    """What some trials took: seconds on the clock, and of all processors together."""

    wall_s: float
    processor_s: float
    trials: int


def wall_s(repeats: Sequence[Took]) -> float:
    """Median seconds on the clock per trial."""
    return median(took.wall_s / took.trials for took in repeats)


def processor_s(repeats: Sequence[Took]) -> float:
    """Median seconds of processors per trial."""
    return median(took.processor_s / took.trials for took in repeats)


def random_patterns(count: int) -> list[str]:
    """The first patterns of one fixed stream."""
    space, rng = PatternSpace("AMS", 16), stream(0, "throughput patterns")
    return [space.sample(rng) for _ in range(count)]


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
    from nasarena.experiments.settings.commands import evaluate_settings
    from nasarena.proxies.trained import TrainedProxy

    config = evaluate_settings(settings)
    proxy = build_proxy(config.proxy, config.space, cache=False)
    assert isinstance(proxy, TrainedProxy)
    return proxy


def time_ours(settings: Sequence[str], patterns: Sequence[str], size: int | None) -> Took:
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


def time_populations(settings: Sequence[str], patterns: Sequence[str]) -> Took:
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


def time_baseline(settings: Sequence[str], patterns: Sequence[str]) -> Took:
    """The baseline's trials, one after the other."""
    import torch

    from nasarena.experiments.measure.engine.transformers_baseline import baseline_seconds

    proxy = proxy_of(tuple(settings))
    device = torch.device(proxy.settings.device)
    start_cpu = time.process_time()
    times_s = [
        baseline_seconds(pattern, training.model, training.task, training.settings, device)
        for pattern in patterns
        for training in proxy.task_trainings
    ]
    return Took(sum(times_s), time.process_time() - start_cpu, len(patterns))


def measure_peaks() -> tuple[float, float, float]:
    """FLOPs a second of torch's batched products and of the fastest at hand, and bytes a second."""
    import torch

    from nasarena.experiments.execution.peaks import (
        copy_bandwidth,
        matmul_flops,
        native_matmul_flops,
    )

    device = torch.device("cpu")
    library = matmul_flops(device)
    return library, max(library, native_matmul_flops()), copy_bandwidth(device)
