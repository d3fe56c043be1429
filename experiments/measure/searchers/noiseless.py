"""What searchers find in 100 trials without noise: neighbours, rugged, letters far apart, tables.

A run is worth the exact regret of the best pattern that it tried: how hard a problem is to search,
apart from how hard it is to judge. Three families of synthetic landscapes, a landscape a seed, and
PatternBench's landscapes with their true scores. None of these settings were chosen here.

    python -m nasarena.experiments.measure.searchers.noiseless [--save] [random sequence-gp ...]

(20 minutes on two cores)
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from nasarena.experiments.execution.pool import Report, results
from nasarena.experiments.execution.workers import LocalPool
from nasarena.experiments.measure.record import record
from nasarena.experiments.measure.searchers.searcher_settings import FAMILIES, run_trials
from nasarena.experiments.measure.searchers.synthetic import BEST_OF_LIBRARIES, SEARCHERS
from nasarena.experiments.settings.choices import choose_proxy
from nasarena.proxies.patternbench.suite import SUITE
from nasarena.search.proxy import KnownProxy
from nasarena.search.space import PatternSpace

NUM_TRIALS, NUM_SEEDS = 100, 8
FIRST_LANDSCAPE = 2_000  # neither those of tests nor those on which settings were chosen
PROBLEMS = (*FAMILIES, *(f"patternbench-{name}" for name in SUITE))


@dataclass(frozen=True)
class NoiselessRun:
    """A task for a worker: one searcher on one problem, with one seed."""

    searcher: str
    problem: str
    seed: int

    def __call__(self, report: Report) -> float:
        """Regret of the best pattern tried."""
        proxy = build_problem(self.problem, self.seed)
        trials = run_trials(self.searcher, {}, proxy, NUM_TRIALS, self.seed)
        return proxy.optimum()[1] - max(proxy.true_score(trial.pattern) for trial in trials)


def build_problem(problem: str, seed: int) -> KnownProxy:
    """The problem without noise; a family has another landscape for every seed."""
    settings: dict[str, Any] = {"noise": 0.0}
    if problem in FAMILIES:
        settings |= {**FAMILIES[problem], "landscape_seed": FIRST_LANDSCAPE + seed}
    proxy = choose_proxy(problem, settings).settings.build(PatternSpace(), problem)
    assert isinstance(proxy, KnownProxy)
    return proxy


def measure(names: list[str]) -> None:
    """Run, compare with the best library, print, and keep if asked to."""
    cases = [
        NoiselessRun(name, problem, seed)
        for name in names
        for problem in PROBLEMS
        for seed in range(NUM_SEEDS)
    ]
    found = dict(zip(cases, results(cases, LocalPool()), strict=True))
    rows: list[dict[str, Any]] = []
    for name in names:
        row: dict[str, Any] = {"searcher": name}
        for problem in PROBLEMS:
            own = [found[NoiselessRun(name, problem, seed)] for seed in range(NUM_SEEDS)]
            row[problem] = float(np.mean(own))
        rows.append(row)
    libraries = [row for row in rows if row["searcher"] in BEST_OF_LIBRARIES]
    summary = {
        f"{row['searcher']}_to_best_library_{problem}": row[problem]
        / min(one[problem] for one in libraries)
        for row in rows
        if row["searcher"] == "sequence-gp" and libraries
        for problem in PROBLEMS
    }
    record("noiseless", rows, summary, module="searchers.noiseless")


if __name__ == "__main__":
    asked = [word for word in sys.argv[1:] if not word.startswith("--")]
    measure(asked or list(SEARCHERS))
