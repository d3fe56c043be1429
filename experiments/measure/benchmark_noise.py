"""Is PatternBench's noise among the best patterns that of real trainings? 500 of them, made now.

50 patterns at ranks that are even steps of the logarithm, from the optimum to the best hundredth by
true score, are trained on 10 run seeds that no row has: where searches end, and nothing was fitted
there. A pattern and a seed explain a training but for its noise (two-way layout), whose standard
deviation is held against the modelled one of the same patterns. What the means of 10 trainings
differ from the surrogate by, less their noise, is the surrogate's own error among the best.

    python -m nasarena.experiments.measure.benchmark_noise [--save]
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasarena.experiments.measure.record import record
from nasarena.experiments.patternbench.discrepancy import mean_square
from nasarena.figures.stats.agreement import residual_noise
from nasarena.proxies.patternbench.benchmark import DATA, SURROGATE, PatternBench
from nasarena.proxies.patternbench.surrogate import Surrogate
from nasarena.search.errors import ProxyFailed
from nasarena.search.machine import default_to_one_thread
from nasarena.search.space import PatternSpace

SPACE = PatternSpace("AMS", 16)
NUM_PATTERNS, NUM_SEEDS = 50, 10
_BEST_SHARE = 0.01
_FIRST_SEED = 2000  # far from those of rows, comparisons and the other measurements

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Modelled:
    """What the benchmark says of some patterns: true score, the surrogate's own, spread."""

    patterns: tuple[str, ...]
    true: Floats
    surrogate: Floats
    spreads: Floats


def measure() -> None:
    """Train, compare, print, and keep if asked to."""
    model = modelled(DATA)
    record("benchmark_noise", *compare(model, train(model.patterns)))


def modelled(data: Path) -> Modelled:
    """Of the patterns at the ranks that are trained, the best first."""
    bench = PatternBench("patternbench", SPACE, data)
    surrogate = Surrogate.load(data / SURROGATE)
    ranks = log_ranks(NUM_PATTERNS, int(_BEST_SHARE * SPACE.size))
    scores = -np.asarray(bench.all_scores())
    best = np.argpartition(scores, ranks[-1])[: ranks[-1]]
    best = best[np.argsort(scores[best], kind="stable")]
    patterns = tuple(SPACE.pattern(int(best[rank - 1])) for rank in ranks)
    true = np.array([bench.true_score(pattern) for pattern in patterns])
    network = surrogate.network
    return Modelled(
        patterns,
        true,
        np.array([network.raw(pattern) * network.grid for pattern in patterns]),
        np.array([surrogate.noise.spread(p, s) for p, s in zip(patterns, true, strict=True)]),
    )


def log_ranks(count: int, last: int) -> list[int]:
    """`count` different ranks from 1 to `last`, in even steps of the logarithm as far as can be."""
    ranks: list[int] = []
    for step in np.linspace(0.0, np.log(last), count):
        ranks.append(max(round(float(np.exp(step))), ranks[-1] + 1 if ranks else 1))
    return ranks


def train(patterns: tuple[str, ...]) -> Floats:
    """Scores `(patterns, seeds)` of the proxy of the rows."""
    from nasarena.experiments.commands.evaluate import score_patterns
    from nasarena.experiments.execution.console import make_console
    from nasarena.experiments.settings.commands import evaluate_settings

    stands_for = PatternBench("patternbench", SPACE).abilities.stands_for
    config = evaluate_settings([f"proxy={stands_for}", f"proxy.population={NUM_SEEDS}"])
    seeds = range(_FIRST_SEED, _FIRST_SEED + NUM_SEEDS)
    outcomes = score_patterns(
        patterns, seeds, config.proxy, SPACE, config.cache, None, make_console(stderr=True)
    )
    failed = [outcome.note for row in outcomes for outcome in row if outcome.score is None]
    if failed:
        raise ProxyFailed(f"{len(failed)} trainings failed, such as: {failed[0]}")
    return np.array([[outcome.score for outcome in row] for row in outcomes], dtype=np.float64)


def compare(model: Modelled, scores: Floats) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A row for each pattern, and the summary; `scores` are `(patterns, seeds)`.

    What all trainings differ by from the promise belongs to the seeds, so errors are centred.
    """
    from scipy.stats import chi2

    num_patterns, num_seeds = scores.shape
    noise, freedom = residual_noise(scores), (num_patterns - 1) * (num_seeds - 1)
    expected = float(np.sqrt(np.mean(model.spreads**2)))
    low, high = (noise * np.sqrt(freedom / chi2.ppf(p, freedom)) for p in (0.975, 0.025))
    counts, spreads = np.full(num_patterns, num_seeds), np.full(num_patterns, noise)
    left = {
        name: mean_square(_centred(scores.mean(axis=1) - promised), spreads, counts)
        for name, promised in (("discrepancy", model.surrogate), ("true_score_error", model.true))
    }
    summary = {
        "spread": noise,
        "spread_interval": [float(low), float(high)],
        "modelled_spread": expected,
        "spread_ratio": expected / noise,
        "variance_ratio": (expected / noise) ** 2,
        **{name: found.size for name, found in left.items()},
        **{f"{name}_interval": found.interval for name, found in left.items()},
        "trainings": scores.size,
    }
    rows = [
        {
            "pattern": pattern,
            "true_score": float(model.true[i]),
            "mean": float(scores[i].mean()),
            "spread": float(scores[i].std(ddof=1)),
            "modelled": float(model.spreads[i]),
        }
        for i, pattern in enumerate(model.patterns)
    ]
    return rows, summary


def _centred(errors: Floats) -> Floats:
    """Errors about their mean, as large as they would be about the unknown one."""
    return np.asarray((errors - errors.mean()) * np.sqrt(len(errors) / (len(errors) - 1)))


if __name__ == "__main__":
    default_to_one_thread()
    measure()
