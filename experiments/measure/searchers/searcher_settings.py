"""Which settings of each searcher to enter: chosen on synthetic landscapes that judge nobody.

Every candidate runs on three families of landscapes (neighbours, rugged, letters far apart), whose
noise is to their spread about what it is in a training of `quick`. A run is worth the mean exact
regret of its five finalists, divided by the expected regret of the best of as many uniform
patterns. A candidate replaces the default only where it is better by more than one standard error
of the paired difference; what is chosen stands in `conf/compare.yaml`.

    python -m nasarena.experiments.measure.searchers.searcher_settings [--save] [evolution tpe ...]

(half an hour on two cores for all)
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nasarena.experiments.execution.pool import Report, results
from nasarena.experiments.execution.workers import LocalPool
from nasarena.experiments.measure.record import record
from nasarena.experiments.settings.choices import choose_proxy
from nasarena.experiments.settings.registry import load_searcher
from nasarena.proxies.landscape import Landscape
from nasarena.search.budget import Budget
from nasarena.search.journal import Journal
from nasarena.search.loop import LoopSettings, search
from nasarena.search.models.finalists import name_finalists
from nasarena.search.proxy import KnownProxy
from nasarena.search.run_folder import RunFolder
from nasarena.search.searcher import build_searcher
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

NUM_TRIALS, NUM_SEEDS, NUM_FINALISTS = 200, 8, 5
NOISE = 0.33  # of a training of quick, 0.029, over the spread of patterns, 0.088
FIRST_LANDSCAPE = 1_000  # far from the seeds of tests and examples
FAMILIES: Mapping[str, Mapping[str, Any]] = {
    "additive": {"interaction": 1.0},
    "nk": {"neighbours": 3},
    "motifs": {"motifs": 4, "length": 4},
}
Options = Mapping[str, Any]
CANDIDATES: Mapping[str, tuple[Options, ...]] = {
    "evolution": (
        {},
        *({"population": size} for size in (8, 12, 32, 50)),
        {"population": 22, "tournament": 3},
        {"population": 22, "tournament": 11},
    ),
    "genetic": (
        {},
        *({"population": size} for size in (10, 40)),
        {"crossover_rate": 0.5},
        {"population": 10, "crossover_rate": 0.5},
    ),
    "tpe": ({}, {"multivariate": False}, {"num_startup": 20}, {"num_startup": 40}),
    "nevergrad": (
        {},
        *(
            {"optimizer": name}
            for name in (
                "DiscreteLenglerOnePlusOne",
                "DiscreteOnePlusOne",
                "PortfolioDiscreteOnePlusOne",
                "RecombiningPortfolioDiscreteOnePlusOne",
                "FastGADiscreteOnePlusOne",
            )
        ),
    ),
    "ngram-thompson": (
        {},
        {"trigrams": False},
        *({"temperature": value} for value in (1.0, 0.5, 0.2, 0.1)),
    ),
    "botorch": ({}, {"num_startup": 6}, {"num_startup": 20}),
    "composer": ({}, {"num_startup": 6}, {"num_startup": 20}),
}


@dataclass(frozen=True)
class Case:
    """A task for a worker: one candidate on one landscape, with one seed."""

    searcher: str
    options: tuple[tuple[str, Any], ...]
    family: str
    seed: int

    def __call__(self, report: Report) -> float:
        """Normalized regret of the finalists."""
        landscape, unit = build_landscape(self.family, self.seed)
        trials = run_trials(self.searcher, dict(self.options), landscape, NUM_TRIALS, self.seed)
        _, best = landscape.optimum()
        finalists = name_finalists(landscape.space, trials, NUM_FINALISTS)
        return (best - float(np.mean([landscape.true_score(one) for one in finalists]))) / unit


def run_trials(
    searcher: str, options: Options, proxy: KnownProxy, num_trials: int, seed: int
) -> Sequence[Trial]:
    """The trials of one run, whose record is thrown away."""
    spec = load_searcher(searcher)
    make = partial(build_searcher, spec, proxy.space, options=options, num_trials=num_trials)
    loop = LoopSettings(seed, Budget("trials", num_trials))
    with tempfile.TemporaryDirectory() as path, RunFolder(Path(path), {}, {}) as folder:
        return search(Journal(folder), make, proxy, loop).trials


def landscape_settings(family: str, seed: int) -> dict[str, Any]:
    """The settings of a landscape as a proxy."""
    return {**FAMILIES[family], "noise": NOISE, "landscape_seed": FIRST_LANDSCAPE + seed}


def build_landscape(
    family: str, seed: int, num_trials: int = NUM_TRIALS
) -> tuple[Landscape, float]:
    """A landscape and the expected regret of the best of `num_trials` uniform patterns."""
    settings = landscape_settings(family, seed)
    landscape = choose_proxy(family, settings).settings.build(PatternSpace(), family)
    assert isinstance(landscape, Landscape)
    rng = stream(seed, "random patterns of", family)
    drawn = [landscape.true_score(landscape.space.sample(rng)) for _ in range(40 * num_trials)]
    best_of = np.array(drawn).reshape(-1, num_trials).max(axis=1)
    return landscape, landscape.optimum()[1] - float(best_of.mean())


def measure(names: list[str]) -> None:
    """Run, compare with the default of each searcher, print, and keep if asked to."""
    cases = [
        Case(name, tuple(options.items()), family, seed)
        for name in names
        for options in CANDIDATES[name]
        for family in FAMILIES
        for seed in range(NUM_SEEDS)
    ]
    found = dict(zip(cases, results(cases, LocalPool()), strict=True))
    rows = []
    for name in names:
        for options in CANDIDATES[name]:
            rows.append(_row(name, options, found))
    chosen = {name: _choose([row for row in rows if row["searcher"] == name]) for name in names}
    record("searcher_settings", rows, {"chosen": chosen}, module="searchers.searcher_settings")


def _row(name: str, options: Options, found: Mapping[Case, float]) -> dict[str, Any]:
    by_family = {family: _regrets(name, options, [family], found) for family in FAMILIES}
    own = np.concatenate(list(by_family.values()))
    gain = _regrets(name, {}, list(FAMILIES), found) - own
    return {
        "searcher": name,
        "options": ", ".join(f"{key}={value}" for key, value in options.items()) or "default",
        **{family: float(regrets.mean()) for family, regrets in by_family.items()},
        "mean": float(own.mean()),
        "gain": float(gain.mean()),
        "standard_error": float(gain.std(ddof=1) / np.sqrt(len(gain))),
    }


def _regrets(
    name: str, options: Options, families: list[str], found: Mapping[Case, float]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array(
        [
            found[Case(name, tuple(options.items()), family, seed)]
            for family in families
            for seed in range(NUM_SEEDS)
        ]
    )


def _choose(rows: list[dict[str, Any]]) -> str:
    """The options of highest gain, if that is more than its standard error."""
    best = max(rows, key=lambda row: float(row["gain"]))
    return str(best["options"]) if best["gain"] > best["standard_error"] else "default"


if __name__ == "__main__":
    asked = [word for word in sys.argv[1:] if not word.startswith("--")]
    measure(asked or list(CANDIDATES))
