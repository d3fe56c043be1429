"""Which patterns of a run to judge it by: how far do rules separate evolution from random search?

Both searchers run on PatternBench with its noise, seed by seed, and each rule names patterns from
what a run has observed. A rule is worth the effect size of evolution over random search in exact
regret, which has no noise of its own: mean paired difference over its standard deviation.

    python -m nasarena.experiments.measure.finalists [--save]        (a minute)
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.measure.record import record
from nasarena.experiments.settings.choices import choose_proxy
from nasarena.experiments.settings.registry import load_searcher
from nasarena.figures.stats.power import seeds_for
from nasarena.proxies.patternbench.benchmark import PatternBench
from nasarena.search.budget import Budget
from nasarena.search.journal import Journal
from nasarena.search.loop import LoopSettings, search
from nasarena.search.models.finalists import name_finalists
from nasarena.search.retraining import best_patterns
from nasarena.search.run_folder import RunFolder
from nasarena.search.searcher import build_searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

SEARCHERS = ("random", "evolution")
NUM_TRIALS = (72, 200)
NUM_SEEDS = 40
SPACE = PatternSpace()
Rule = Callable[[Sequence[Trial]], list[str]]
RULES: Mapping[str, Rule] = {
    "the best observed": lambda trials: best_patterns(trials, 1),
    "5 best observed": lambda trials: best_patterns(trials, 5),
    "the best by the model": lambda trials: name_finalists(SPACE, trials, 1),
    "5 best by the model": lambda trials: name_finalists(SPACE, trials, 5),
}


def measure() -> None:
    """Run, judge by every rule, print, and keep if asked to."""
    bench = build_proxy(choose_proxy("patternbench", {}), SPACE, cache=False)
    assert isinstance(bench, PatternBench)
    rows = [row for num_trials in NUM_TRIALS for row in judge(bench, num_trials)]
    summary = {
        f"effect_{name}_{row['trials']}": row["effect"]
        for row in rows
        for name, rule in (("single", "the best observed"), ("finalists", "5 best by the model"))
        if row["rule"] == rule
    }
    record("finalists", rows, summary)


def judge(bench: PatternBench, num_trials: int) -> list[dict[str, Any]]:
    """A row for each rule: regrets of both searchers, and what separates them."""
    _, optimum = bench.optimum()
    runs = {
        name: [run(bench, name, seed, num_trials) for seed in range(NUM_SEEDS)]
        for name in SEARCHERS
    }
    rows = []
    for rule, find in RULES.items():
        random, evolution = (
            np.array([_mean_regret(bench, optimum, find(trials)) for trials in runs[name]])
            for name in SEARCHERS
        )
        gaps = random - evolution
        effect = float(gaps.mean() / gaps.std(ddof=1))
        rows.append(
            {
                "rule": rule,
                "trials": num_trials,
                "random_regret": float(random.mean()),
                "evolution_regret": float(evolution.mean()),
                "effect": effect,
                "seeds_needed": seeds_for(effect) if effect > 0 else None,
            }
        )
    return rows


def run(bench: PatternBench, name: str, seed: int, num_trials: int) -> list[Trial]:
    """The trials of one search."""
    spec = load_searcher(name)
    make = partial(build_searcher, spec, SPACE, options={}, num_trials=num_trials)
    settings = LoopSettings(seed, Budget("trials", num_trials))
    with tempfile.TemporaryDirectory() as path, RunFolder(Path(path), {}, {}) as folder:
        return search(Journal(folder), make, bench, settings).trials


def _mean_regret(bench: PatternBench, optimum: float, patterns: Sequence[str]) -> float:
    return optimum - float(np.mean([bench.true_score(pattern) for pattern in patterns]))


if __name__ == "__main__":
    measure()
