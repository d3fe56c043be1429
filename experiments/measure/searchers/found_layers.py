"""The pattern of attention and MLP layers that is best over all landscapes of PatternBench.

The embedded agent is a decoder of these two letters, so the pattern that our own arena finds best
can be its architecture. All 65,536 patterns of 16 such layers are compared, not sampled: by the
mean over the landscapes of their normalized regret, whose unit is what the best of 200 uniform
patterns of the whole space has, Mamba included. The last row is the alternation that the shipped
model has.

    python -m nasarena.experiments.measure.searchers.found_layers [--save]

(a minute)
"""

from collections.abc import Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

from nasarena.experiments.measure.record import Row, record
from nasarena.experiments.settings.choices import choose_proxy
from nasarena.proxies.patternbench.benchmark import PatternBench
from nasarena.proxies.patternbench.suite import SUITE
from nasarena.search.space import PatternSpace

LETTERS, NUM_TRIALS, NUM_SHOWN = "AM", 200, 8
Floats = NDArray[np.float64]


def measure() -> None:
    """Compare all patterns, print the best, and keep them if asked to."""
    space = PatternSpace()
    patterns = ["".join(letters) for letters in product(LETTERS, repeat=space.depth)]
    regrets = {name: regrets_of(f"patternbench-{name}", patterns) for name in SUITE}
    mean = np.mean(list(regrets.values()), axis=0)
    alternation = patterns.index(LETTERS * (space.depth // 2))
    shown = [*np.argsort(mean, kind="stable")[:NUM_SHOWN].tolist(), alternation]
    rows = [_row(patterns[place], place, mean, regrets) for place in shown]
    better = int((mean < mean[alternation]).sum())
    summary = {"best": rows[0]["pattern"], "better_than_alternation": better / len(patterns)}
    record("found_layers", rows, summary, module="searchers.found_layers")


def regrets_of(name: str, patterns: list[str]) -> Floats:
    """Of each pattern: 0 is the optimum over all letters, 1 the best of 200 uniform patterns."""
    space = PatternSpace()
    proxy = choose_proxy(name, {}).settings.build(space, name)
    assert isinstance(proxy, PatternBench)
    difficulty = proxy.difficulty(NUM_TRIALS)
    assert difficulty is not None
    indices = np.array([space.index(pattern) for pattern in patterns], dtype=np.int64)
    result: Floats = (proxy.optimum()[1] - proxy.true_scores(indices)) / difficulty["random_regret"]
    return result


def _row(pattern: str, place: int, mean: Floats, regrets: Mapping[str, Floats]) -> Row:
    of_landscapes = {name: float(values[place]) for name, values in regrets.items()}
    return {"pattern": pattern, "mean": float(mean[place]), **of_landscapes}


if __name__ == "__main__":
    measure()
