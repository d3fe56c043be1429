"""Do the searchers search? Regret on the additive landscape, each against random search.

200 trials, 20 paired seeds, each searcher as published, through the ordinary command into ordinary
run folders. The regret of a run is the landscape's optimum minus the true score of the pattern with
the best noisy score. A p value is that of the exact one-sided Wilcoxon signed-rank test over the
seeds: the searcher's regret is no smaller than random search's.

`nevergrad_regret_ratio` is the median regret of Nevergrad with our encoding of letters over that
with its `Choice`.

    python -m nasarena.experiments.measure.separation [--save]
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wilcoxon

from nasarena.experiments.measure.record import record
from nasarena.proxies.landscapes import additive
from nasarena.search.retraining import best_patterns
from nasarena.search.run_folder import find_runs, read_run
from nasarena.search.space import PatternSpace

NUM_TRIALS = 200
NUM_SEEDS = 20
SEARCHERS = (
    "random",
    "local-search",
    "evolution",
    "genetic",
    "ngram-thompson",
    "tpe",
    "nevergrad",
    "nevergrad-choice",
    "botorch",
)
CLAIMED = ("evolution", "tpe", "botorch", "nevergrad")


def measure() -> None:
    """Run, print, and keep if asked to."""
    with tempfile.TemporaryDirectory() as folder:
        regrets = regrets_in(run_comparison(Path(folder)))
    p_values = {name: p_better(regrets[name], regrets["random"]) for name in SEARCHERS[1:]}
    ratio = np.median(regrets["nevergrad"]) / np.median(regrets["nevergrad-choice"])
    record(
        "separation",
        [_row(name, regrets[name], p_values) for name in SEARCHERS],
        {
            "p_values": {name: p_values[name] for name in CLAIMED},
            "nevergrad_regret_ratio": float(ratio),
        },
    )


def run_comparison(folder: Path) -> Path:
    """The folder of the finished comparison."""
    code = "from nasarena.experiments.commands.cli import main; raise SystemExit(main())"
    settings = [
        f"searchers=[{','.join(SEARCHERS)}]",
        f"seeds={NUM_SEEDS}",
        "proxy=additive",
        "budget=trials",
        f"budget.amount={NUM_TRIALS}",
        "references=false",
        "name=separation",
    ]
    environment = {**os.environ, "NASARENA_CACHE": str(folder / "cache")}
    command = [sys.executable, "-c", code, "compare", *settings]
    subprocess.run(command, cwd=folder, env=environment, check=True)
    return folder / "runs" / "separation"


def regrets_in(comparison: Path) -> dict[str, NDArray[np.float64]]:
    """Regret of every run by searcher, seeds in order."""
    landscape = additive(PatternSpace("AMS", 16))
    found: dict[str, dict[int, float]] = {}
    for path in find_runs(comparison):
        run = read_run(path)
        if run.state != "finished":
            raise RuntimeError(f"{path} is {run.state}, expected it to be finished")
        (best,) = best_patterns(run.trials(), 1)
        by_seed = found.setdefault(run.config["searcher"]["name"], {})
        by_seed[run.config["loop"]["seed"]] = landscape.regret(best)
    return {
        name: np.array([by_seed[seed] for seed in sorted(by_seed)])
        for name, by_seed in found.items()
    }


def p_better(regrets: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """p of the one-sided paired test that `regrets` are smaller."""
    return float(wilcoxon(regrets, others, alternative="less").pvalue)


def _row(name: str, regrets: NDArray[np.float64], p_values: Mapping[str, float]) -> dict[str, Any]:
    low, middle, high = _quartiles(regrets)
    return {
        "searcher": name,
        "median_regret": middle,
        "first_quartile": low,
        "third_quartile": high,
        "p_against_random": p_values.get(name),
    }


def _quartiles(values: NDArray[np.float64]) -> Sequence[float]:
    return [float(value) for value in np.quantile(values, [0.25, 0.5, 0.75])]


if __name__ == "__main__":
    measure()
