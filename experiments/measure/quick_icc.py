"""Does `quick` distinguish patterns, and at what price? Intraclass correlation and seconds.

48 random patterns are trained with 4 run seeds each. The score's one-way intraclass correlation
(Shrout & Fleiss 1979, ICC(1,1)) is the share of its variance that belongs to the pattern:

    ICC = (MSB - MSW) / (MSB + (k - 1) MSW)        k seeds, mean squares between and within patterns

The price is wall time a pattern, each core with a process and a thread of its own as the workers
of `nasarena compare`: when patterns are trained one by one, and when they are trained in
populations of 16, which must give the same scores.

    python -m nasarena.experiments.measure.quick_icc [--save] [proxy.train.steps=60 ...]

Settings of the proxy may be changed: so the tries of docs/proxies.md were made.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nasarena.experiments.execution.pool import Pool, Report, results
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.execution.workers import LocalPool
from nasarena.experiments.measure.record import record
from nasarena.experiments.settings.choices import ProxyConfig
from nasarena.experiments.settings.commands import evaluate_settings
from nasarena.experiments.settings.config import EvaluateConfig
from nasarena.figures.stats.agreement import icc1
from nasarena.search.proxy import TrialSeed
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Outcome

Job = tuple[str, int]  # a pattern and a run seed
NUM_PATTERNS = 48
NUM_SEEDS = 4
POPULATION = 16


@dataclass(frozen=True)
class Trained:
    """What came of one job; `seconds` are those of all that trained with it."""

    score: float
    accuracy: float
    seconds: float


@dataclass(frozen=True)
class Population:
    """A task for a worker: jobs that train together."""

    proxy: ProxyConfig
    space: PatternSpace
    jobs: tuple[Job, ...]

    def __call__(self, report: Report) -> list[Trained]:
        proxy = build_proxy(self.proxy, self.space, cache=False)
        patterns, seeds = zip(*self.jobs, strict=True)
        start = time.perf_counter()
        outcomes = proxy.evaluate(patterns, [TrialSeed(seed) for seed in seeds])
        took_s = time.perf_counter() - start
        return [
            _trained(*job, outcome, took_s)
            for job, outcome in zip(self.jobs, outcomes, strict=True)
        ]


def _trained(pattern: str, seed: int, outcome: Outcome, took_s: float) -> Trained:
    if outcome.score is None:
        raise RuntimeError(f"{pattern} with seed {seed} failed: {outcome.note}")
    return Trained(outcome.score, outcome.metrics["accuracy"], took_s)


def measure() -> None:
    """Train in one process a core, print, and keep if asked to."""
    config = evaluate_settings(
        ["proxy=quick", *(w for w in sys.argv[1:] if not w.startswith("--"))]
    )
    patterns = random_patterns(config.space, NUM_PATTERNS)
    jobs = [(pattern, seed) for pattern in patterns for seed in range(NUM_SEEDS)]
    # Every 12th job: 16 patterns under one run seed, as a searcher that asks for batches has.
    num_populations = len(jobs) // POPULATION
    populations = [jobs[i::num_populations] for i in range(num_populations)]
    with LocalPool() as pool:
        # Imports and a first training, one in every worker, are not counted.
        train(config, [[job] for job in jobs[: pool.num_workers]], pool)
        alone, alone_s = train(config, [[job] for job in jobs], pool)
        together, together_s = train(config, populations, pool)
    rows, summary = summarize(patterns, alone)
    summary |= {
        "seconds_per_pattern": together_s / len(jobs),
        "seconds_one_by_one": alone_s / len(jobs),
        "largest_move_in_populations": max(
            abs(together[job].score - alone[job].score) for job in jobs
        ),
        "processes": pool.num_workers,
    }
    record("quick_icc", rows, summary)


def train(
    config: EvaluateConfig, populations: Sequence[Sequence[Job]], pool: Pool
) -> tuple[dict[Job, Trained], float]:
    """What came of every job, and the seconds until all were done."""
    tasks = [Population(config.proxy, config.space, tuple(jobs)) for jobs in populations]
    start = time.perf_counter()
    found = results(tasks, pool)
    took_s = time.perf_counter() - start
    return {
        job: one
        for task, part in zip(tasks, found, strict=True)
        for job, one in zip(task.jobs, part, strict=True)
    }, took_s


def summarize(
    patterns: Sequence[str], trained: Mapping[Job, Trained]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A row for each pattern, its seeds trained one by one, and what the scores say together."""
    scores, accuracies, seconds = (
        np.array(
            [
                [getattr(trained[pattern, seed], name) for seed in range(NUM_SEEDS)]
                for pattern in patterns
            ]
        )
        for name in ("score", "accuracy", "seconds")
    )
    rows = [
        {
            "pattern": pattern,
            "mean_score": float(scores[i].mean()),
            "seed_std": float(scores[i].std(ddof=1)),
            "seconds": float(seconds[i].mean()),
        }
        for i, pattern in enumerate(patterns)
    ]
    return rows, {
        "icc": icc1(scores),
        "icc_of_accuracy": icc1(accuracies),
        "core_seconds_per_pattern": float(seconds.mean()),
        "spread_of_means": float(scores.mean(axis=1).std(ddof=1)),
        "seed_noise": float(np.sqrt(scores.var(axis=1, ddof=1).mean())),
    }


def random_patterns(space: PatternSpace, count: int) -> list[str]:
    """Distinct patterns of one fixed stream."""
    return space.sample_distinct(count, stream(0, "icc patterns"))


if __name__ == "__main__":
    measure()
