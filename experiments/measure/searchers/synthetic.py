"""How searchers do on synthetic landscapes: neighbours, rugged ones, letters far apart.

The landscapes, their noise and the unit of regret are those on which settings are chosen
(`searcher_settings.py`); each searcher has its default settings, 200 trials a run.

    python -m nasarena.experiments.measure.searchers.synthetic [--save] [random sequence-gp ...]
"""

import sys
from typing import Any

import numpy as np

from nasarena.experiments.execution.pool import results
from nasarena.experiments.execution.workers import LocalPool
from nasarena.experiments.measure.record import record
from nasarena.experiments.measure.searchers.searcher_settings import FAMILIES, NUM_SEEDS, Case
from nasarena.figures.stats.paired import cohen_dz, sign_flip_p
from nasarena.search.run_config import BASELINE
from nasarena.search.seeding import stream

SEARCHERS = (
    BASELINE, "local-search", "evolution", "genetic", "ngram-thompson", "sequence-gp", "tpe",
    "nevergrad", "botorch",
)  # fmt: skip
BEST_OF_LIBRARIES = ("tpe", "nevergrad", "botorch")


def measure(names: list[str]) -> None:
    """Run, compare with random search, print, and keep if asked to."""
    names = list(dict.fromkeys([BASELINE, *names]))
    cases = [
        Case(name, (), family, seed)
        for name in names
        for family in FAMILIES
        for seed in range(NUM_SEEDS)
    ]
    found = dict(zip(cases, results(cases, LocalPool()), strict=True))

    def regrets(name: str, family: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([found[Case(name, (), family, seed)] for seed in range(NUM_SEEDS)])

    rows = []
    for name in names:
        row: dict[str, Any] = {"searcher": name}
        row |= {family: float(regrets(name, family).mean()) for family in FAMILIES}
        gains = np.concatenate([regrets(BASELINE, one) - regrets(name, one) for one in FAMILIES])
        row["mean"] = float(np.mean([row[family] for family in FAMILIES]))
        if name != BASELINE:
            row["effect"] = cohen_dz(gains)
            row["p"] = sign_flip_p(gains, stream(0, "synthetic", name))
        rows.append(row)
    of = {row["searcher"]: row for row in rows}
    libraries = [of[name] for name in BEST_OF_LIBRARIES if name in of]
    summary = {
        f"{name}_to_best_library_{family}": of[name][family] / min(one[family] for one in libraries)
        for name in ("sequence-gp", "ngram-thompson")
        if name in of and libraries
        for family in FAMILIES
    }
    record("synthetic", rows, summary, module="searchers.synthetic")


if __name__ == "__main__":
    asked = [word for word in sys.argv[1:] if not word.startswith("--")]
    measure(asked or list(SEARCHERS))
