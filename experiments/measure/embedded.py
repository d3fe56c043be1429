"""The embedded agent against random search and regularized evolution, on landscapes it never saw.

Two families, additive and rugged (NK); 20 seeds, each a landscape of its own over 3^16 patterns;
100 trials; the same initial design for all. Regret is the optimum minus the true score of the
pattern with the best noisy score. p values: exact one-sided Wilcoxon signed-rank test, by seed.
With shuffled scores the agent has nothing to search by and should fall back to random.

A part of `measure.agents`; alone: `python -m nasarena.experiments.measure.embedded [--save]`.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasarena.agents.scribe.card import prompt_options
from nasarena.experiments.execution.pool import Report, results
from nasarena.experiments.execution.workers import LocalPool
from nasarena.experiments.measure.record import record
from nasarena.experiments.measure.separation import p_better
from nasarena.experiments.settings.registry import load_searcher
from nasarena.proxies.landscape import Landscape
from nasarena.proxies.landscapes import additive, nk
from nasarena.search.budget import Budget
from nasarena.search.loop import LoopSettings, run_to_end
from nasarena.search.retraining import best_patterns
from nasarena.search.run_folder import RunFolder
from nasarena.search.searcher import build_searcher
from nasarena.search.space import PatternSpace

NUM_TRIALS = 100
NUM_SEEDS = 20
FAMILIES: dict[str, Callable[..., Landscape]] = {"additive": additive, "nk": nk}
AGENT = "agent-sequential"
# What runs under which name: a searcher and its options.
ENTRANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "random": ("random", {}),
    "evolution": ("evolution", {}),
    "evolution, population 20": ("evolution", {"population": 20, "tournament": 5}),
    "local-search": ("local-search", {}),
    "scribe": (AGENT, prompt_options()),
    "scribe, shuffled scores": (AGENT, {**prompt_options(), "control": "shuffled_scores"}),
}
Regrets = Mapping[str, NDArray[np.float64]]  # by entrant, seeds in order


def measure() -> None:
    """Run, print, and keep if asked to."""
    rows, summary = measure_regrets()
    record("embedded", rows, summary)


def measure_regrets() -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A row for each family and entrant, and the summary: the worst family counts."""
    by_family = {family: regrets_on(family) for family in FAMILIES}
    rows = [
        _row(family, name, regrets) for family, regrets in by_family.items() for name in regrets
    ]
    agents = [row for row in rows if row["searcher"] == "scribe"]
    shuffled = [row for row in rows if row["searcher"] == "scribe, shuffled scores"]
    summary = {
        "scribe_p": max(row["p_against_random"] for row in agents),
        "scribe_regret_ratio": max(row["ratio_to_evolution"] for row in agents),
        "shuffled_p": min(row["p_against_random"] for row in shuffled),
    }
    return rows, summary


def regrets_on(family: str, num_seeds: int = NUM_SEEDS, num_trials: int = NUM_TRIALS) -> Regrets:
    """All entrants on the first `num_seeds` landscapes of a family, one process a core."""
    tasks = [Run(family, name, seed, num_trials) for seed in range(num_seeds) for name in ENTRANTS]
    matrix = np.array(results(tasks, LocalPool())).reshape(num_seeds, len(ENTRANTS))
    return {name: matrix[:, column] for column, name in enumerate(ENTRANTS)}


@dataclass(frozen=True)
class Run:
    """A run, as a worker does it."""

    family: str
    entrant: str
    seed: int
    num_trials: int

    def __call__(self, report: Report) -> float:
        return regret(self.family, self.entrant, self.seed, self.num_trials)


def regret(family: str, entrant: str, seed: int, num_trials: int) -> float:
    """One run in the real loop."""
    landscape = FAMILIES[family](PatternSpace("AMS", 16), landscape_seed=seed)
    name, options = ENTRANTS[entrant]
    spec = load_searcher(name)
    llm = _client() if spec.uses_llm else None
    settings = LoopSettings(seed, Budget("trials", num_trials), finalists=0)
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder) / "run", {}, {}) as run:
        trials = run_to_end(
            run,
            lambda rng: build_searcher(
                spec, landscape.space, rng, options, num_trials=num_trials, llm=llm
            ),
            landscape,
            settings,
        )
    (best,) = best_patterns(trials, 1)
    return landscape.regret(best)


def _client() -> Any:
    from nasarena.agents.scribe.local import ScribeClient

    return ScribeClient()


def _row(family: str, name: str, regrets: Regrets) -> dict[str, Any]:
    middle = float(np.median(regrets[name]))
    return {
        "family": family,
        "searcher": name,
        "median_regret": middle,
        "ratio_to_evolution": middle / float(np.median(regrets["evolution"])),
        "p_against_random": None
        if name == "random"
        else p_better(regrets[name], regrets["random"]),
    }


if __name__ == "__main__":
    measure()
