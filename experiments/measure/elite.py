"""Can a proxy order its best patterns? The intraclass correlation among them, and what it costs.

Over all patterns a proxy looks reliable, because most of them are poor. A search ends among the
best, and there the same noise has less to drown. 200 random patterns are trained on one run seed;
the best 24 of them again on 4 other seeds, which are free of the luck that chose them.

    python -m nasarena.experiments.measure.elite [--save] [proxy=quick proxy.train.steps=600 ...]

Spread, noise and correlation of the best come from these seeds alone. Landscapes of the suite are
chosen by this measurement (docs/proxies.md).
"""

import sys
from typing import Any

import numpy as np

from nasarena.experiments.execution.workers import LocalPool
from nasarena.experiments.measure.quick_icc import Job, random_patterns, train
from nasarena.experiments.measure.record import record
from nasarena.experiments.settings.commands import evaluate_settings
from nasarena.figures.stats.agreement import icc1

NUM_PATTERNS, NUM_ELITE, NUM_SEEDS = 200, 24, 4
POPULATION = 20


def measure() -> None:
    """Train, print, and keep if asked to."""
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    if not any(word.startswith("proxy=") for word in words):
        words.insert(0, "proxy=quick")
    config = evaluate_settings(words)
    patterns = random_patterns(config.space, NUM_PATTERNS)
    with LocalPool() as pool:
        first, took_s = train(config, populations([(pattern, 0) for pattern in patterns]), pool)
        best_first = sorted(patterns, key=lambda pattern: -first[pattern, 0].score)
        elite = best_first[:NUM_ELITE]
        again = [(pattern, seed) for seed in range(1, NUM_SEEDS + 1) for pattern in elite]
        fresh, more_s = train(config, populations(again), pool)
    scores = np.array([[fresh[p, seed].score for seed in range(1, NUM_SEEDS + 1)] for p in elite])
    all_scores = np.array([first[pattern, 0].score for pattern in patterns])
    rows: list[dict[str, Any]] = [
        {"pattern": p, "first": first[p, 0].score, "mean": float(scores[i].mean())}
        for i, p in enumerate(elite)
    ]
    noise = float(np.sqrt(scores.var(axis=1, ddof=1).mean()))
    summary = {
        "elite_icc": icc1(scores),
        "elite_icc_centred": icc1(scores - scores.mean(axis=0) + scores.mean()),
        "spread_of_all": float(all_scores.std(ddof=1)),
        "spread_of_elite": float(scores.mean(axis=1).std(ddof=1)),
        "seed_noise": noise,
        "best": float(all_scores.max()),
        "seconds_per_pattern": (took_s + more_s) / (len(patterns) + len(again)),
    }
    record("elite", rows, summary)


def populations(jobs: list[Job]) -> list[list[Job]]:
    """The jobs in lists of at most POPULATION, in order."""
    return [jobs[i : i + POPULATION] for i in range(0, len(jobs), POPULATION)]


if __name__ == "__main__":
    measure()
