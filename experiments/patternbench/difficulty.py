"""How hard a landscape is, and what every comparison on it is measured between, worked out once.

    python -m nasarena.experiments.patternbench.difficulty [data=FOLDER]

One pass over all 43 million true scores gives the optimum, how much of the space lies within the
noise of one training of it, and the regret that the best of n uniform patterns is expected to have.
The rows give the intraclass correlation of one training: over the uniform test patterns, and among
the best patterns of the elite round. Orders of patterns that were published at scale are counted
where the landscape has them too. All of it stands in `landscape.json`, so that a comparison over
many landscapes need not compute all their scores. The fit writes it last.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasarena.experiments.audit.anchors import PUBLISHED, load_comparisons
from nasarena.experiments.patternbench.report import find_test_places, pairs_of
from nasarena.experiments.patternbench.sample import Sample, sample_of
from nasarena.figures.stats.agreement import icc1
from nasarena.proxies.patternbench.benchmark import DATA, ROWS, PatternBench
from nasarena.proxies.patternbench.landscape_facts import FACTS, VERSION
from nasarena.proxies.patternbench.rows import Row, read_rows
from nasarena.proxies.patternbench.truth import WHOLE
from nasarena.search.errors import NasArenaError

_DRAWS = tuple(2**power for power in range(15))
_FEWEST = 10  # patterns that a correlation is given of


def describe(data: Path) -> dict[str, Any]:
    """Write `landscape.json` of the fitted landscape in `data`; its content."""
    proxy = PatternBench("patternbench", WHOLE, data)
    _, rows = read_rows(data / ROWS)
    scores = proxy.truth.materialize()
    best = int(np.argmax(scores))
    pattern = WHOLE.pattern(best)
    score = proxy.true_score(pattern)
    noise = proxy.spread(pattern)
    sample = sample_of(rows)
    facts = {
        "version": VERSION,
        "files": proxy.files,
        "optimum": {"pattern": pattern, "score": score},
        "noise": noise,
        "share_within_noise": float(np.mean(scores >= score - noise)),
        "random_regret": expected_regrets(scores, score),
        "icc": _icc_of_tests(sample),
        **_elite(rows, sample),
        **_agreement_at_scale(proxy),
    }
    (data / FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return facts


def expected_regrets(scores: NDArray[np.float32], best: float) -> dict[str, float]:
    """Expected regret of the best of n uniform draws, for n = 1, 2, 4 ... 16,384.

    The best of n draws is at most x with probability (share of scores at most x)^n.
    """
    levels, counts = np.unique(scores, return_counts=True)
    at_most = np.concatenate([[0.0], np.cumsum(counts) / len(scores)])
    regrets = best - levels.astype(np.float64)
    return {str(draws): float(np.diff(at_most**draws) @ regrets) for draws in _DRAWS}


def _icc_of_tests(sample: Sample) -> float | None:
    places, _ = find_test_places(sample)
    return icc1(pairs_of(sample, places)) if len(places) >= _FEWEST else None


def _elite(rows: Sequence[Row], sample: Sample) -> dict[str, Any]:
    """The patterns of the last round, judged by its trainings alone: earlier ones chose them."""
    last = max(row.round for row in rows)
    fresh: dict[str, list[float]] = {}
    for row in rows:
        if row.round == last and row.role == "again" and row.score is not None:
            fresh.setdefault(row.pattern, []).append(row.score - sample.offsets[row.seed])
    counts = {row.pattern: 0 for row in rows}
    for row in rows:
        counts[row.pattern] += row.score is not None
    num_seeds = min((counts[pattern] for pattern in fresh), default=0)
    several = {pattern: own for pattern, own in fresh.items() if len(own) >= 2}
    icc = _unbalanced_icc(several) if len(several) >= _FEWEST else None
    return {"elite_patterns": len(fresh), "elite_seeds": num_seeds, "elite_icc": icc}


def _agreement_at_scale(proxy: PatternBench) -> dict[str, int]:
    """How many orders that were published at scale the true scores have too, at equal depth."""
    differences = [
        proxy.true_score(one.patterns[better].pattern)
        - proxy.true_score(one.patterns[worse].pattern)
        for one in load_comparisons(PUBLISHED, WHOLE)
        for better, worse in one.orders()
    ]
    agreeing = sum(difference > 0 for difference in differences)
    return {"orders": len(differences), "orders_agreeing": agreeing}


def _unbalanced_icc(scores: Mapping[str, Sequence[float]]) -> float:
    """ICC(1) where patterns have different numbers of trainings: variance components by moments."""
    counts = np.array([len(own) for own in scores.values()], dtype=np.float64)
    means = np.array([np.mean(own) for own in scores.values()])
    total, num_patterns = counts.sum(), len(counts)
    squares = sum(float(np.sum((np.array(own) - np.mean(own)) ** 2)) for own in scores.values())
    within = squares / (total - num_patterns)
    centre = float(counts @ means / total)
    between = float(counts @ (means - centre) ** 2) / (num_patterns - 1)
    size = (total - float(counts @ counts) / total) / (num_patterns - 1)
    signal = (between - within) / size
    return float(signal / (signal + within))


def main(arguments: Sequence[str]) -> int:
    """Exit code 2 and one line for what a user can cause."""
    words = dict(argument.partition("=")[::2] for argument in arguments)
    try:
        print(json.dumps(describe(Path(words.get("data", DATA))), indent=1))
    except NasArenaError as error:
        print(f"nasarena: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
