"""Does `quick` tell patterns apart, and at what price? Intraclass correlation and seconds.

48 random patterns are trained with 4 run seeds each. The score's one-way intraclass correlation
(Shrout & Fleiss 1979, ICC(1,1)) is the share of its variance that belongs to the pattern:

    ICC = (MSB - MSW) / (MSB + (k - 1) MSW)        k seeds, mean squares between and within patterns

The price is wall time a pattern, each core with a process and a thread of its own as the workers
of `nasarena compare`: when patterns are trained one by one, and when they are trained in
populations of 16, which must give the same scores.

    python -m nasarena.experiments.measure.quick_icc [--save] [proxy.train.steps=60 ...]

Settings of the proxy may be changed: so the tries of docs/proxies.md were made.
"""

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nasarena.experiments.measure.record import record
from nasarena.figures.stats.agreement import icc1
from nasarena.search.proxy import Proxy, TrialSeed
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Outcome

Floats = NDArray[np.float64]
Result = TypeVar("Result")

NUM_PATTERNS = 48
NUM_SEEDS = 4
POPULATION = 16


def measure() -> None:
    """Train in one process a core, print, and keep if asked to."""
    patterns = random_patterns(PatternSpace("AMS", 16), NUM_PATTERNS)
    jobs = [(pattern, seed) for pattern in patterns for seed in range(NUM_SEEDS)]
    num_processes = len(os.sched_getaffinity(0))
    context = multiprocessing.get_context("spawn")
    settings = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    with context.Pool(num_processes, _start_worker, [settings]) as pool:
        pool.map(_train, jobs[:num_processes], chunksize=1)  # imports and warm-up are not counted
        outcomes, alone_s = _time(lambda: pool.map(_train, jobs, chunksize=1))
        # Every 12th job: 16 patterns under one run seed, as a searcher that asks for batches has.
        num_populations = len(jobs) // POPULATION
        populations = [jobs[i::num_populations] for i in range(num_populations)]
        together, together_s = _time(lambda: pool.map(_train_together, populations, chunksize=1))
    again = {
        job: score
        for part in zip(populations, together, strict=True)
        for job, score in zip(*part, strict=True)
    }
    moved = max(abs(again[job] - score) for job, (score, _, _) in zip(jobs, outcomes, strict=True))
    scores, accuracies, seconds = (
        np.array(column).reshape(NUM_PATTERNS, NUM_SEEDS) for column in zip(*outcomes, strict=True)
    )
    summary = {
        "icc": icc1(scores),
        "icc_of_accuracy": icc1(accuracies),
        "seconds_per_pattern": together_s / len(jobs),
        "seconds_one_by_one": alone_s / len(jobs),
        "largest_move_in_populations": moved,
        "core_seconds_per_pattern": float(seconds.mean()),
        "spread_of_means": float(scores.mean(axis=1).std(ddof=1)),
        "seed_noise": float(np.sqrt(scores.var(axis=1, ddof=1).mean())),
        "processes": num_processes,
    }
    record("quick_icc", _rows(patterns, scores, seconds), summary)


def _time(work: Callable[[], Result]) -> tuple[Result, float]:
    """The result, and seconds of wall time."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def _rows(patterns: Sequence[str], scores: Floats, seconds: Floats) -> list[dict[str, Any]]:
    """One row per pattern; scores and seconds are `(patterns, seeds)`."""
    return [
        {
            "pattern": pattern,
            "mean_score": float(scores[i].mean()),
            "seed_std": float(scores[i].std(ddof=1)),
            "seconds": float(seconds[i].mean()),
        }
        for i, pattern in enumerate(patterns)
    ]


def random_patterns(space: PatternSpace, count: int) -> list[str]:
    """Distinct patterns of one fixed stream."""
    rng = stream(0, "icc patterns")
    patterns: dict[str, None] = {}
    while len(patterns) < count:
        patterns[space.sample(rng)] = None
    return list(patterns)


_proxy: Proxy | None = None


def _start_worker(settings: Sequence[str]) -> None:
    import torch

    global _proxy
    torch.set_num_threads(1)
    _proxy = quick(settings)


def _train(job: tuple[str, int]) -> tuple[float, float, float]:
    assert _proxy is not None
    start = time.perf_counter()
    (outcome,) = _proxy.evaluate([job[0]], [TrialSeed(job[1])])
    return _score(job, outcome), outcome.metrics["accuracy"], time.perf_counter() - start


def _train_together(jobs: list[tuple[str, int]]) -> list[float]:
    assert _proxy is not None
    patterns, seeds = zip(*jobs, strict=True)
    outcomes = _proxy.evaluate(patterns, [TrialSeed(seed) for seed in seeds])
    return [_score(job, outcome) for job, outcome in zip(jobs, outcomes, strict=True)]


def _score(job: tuple[str, int], outcome: Outcome) -> float:
    if outcome.score is None:
        raise RuntimeError(f"{job[0]} with seed {job[1]} failed: {outcome.note}")
    return outcome.score


def quick(settings: Sequence[str] = ()) -> Proxy:
    """The preset as bare `nasarena compare` builds it, with some settings changed."""
    from nasarena.experiments.execution.scoring import build_proxy
    from nasarena.experiments.settings.config import evaluate_config

    config = evaluate_config(["proxy=quick", *settings])
    return build_proxy(config.proxy, config.space, cache=False)


if __name__ == "__main__":
    measure()
