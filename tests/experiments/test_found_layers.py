"""The best pattern of attention and MLP: every regret is the benchmark's own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasarena.experiments.measure.searchers import found_layers
from nasarena.experiments.measure.searchers.found_layers import NUM_TRIALS, regrets_of
from nasarena.experiments.settings.choices import choose_proxy
from nasarena.proxies.patternbench.benchmark import PatternBench
from nasarena.search.space import PatternSpace

NAMES = ("patternbench-quick", "patternbench-copying")


def benchmark(name: str) -> PatternBench:
    proxy = choose_proxy(name, {}).settings.build(PatternSpace(), name)
    assert isinstance(proxy, PatternBench)
    return proxy


def test_regret_is_that_of_the_benchmark_in_units_of_random_search() -> None:
    for proxy in map(benchmark, NAMES):
        difficulty = proxy.difficulty(NUM_TRIALS)
        assert difficulty is not None
        for pattern in (proxy.optimum()[0], "AM" * 8, "MMMAAAAAAAAAAMMA"):
            (found,) = regrets_of(proxy.name, [pattern])
            expected = proxy.regret(pattern) / difficulty["random_regret"]
            assert found == pytest.approx(expected, abs=1e-5)


def test_the_best_over_all_is_no_worse_than_any_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(found_layers, "SUITE", ("quick", "copying"))
    kept: dict[str, Any] = {}
    monkeypatch.setattr(
        found_layers,
        "record",
        lambda name, rows, summary, module: kept.update(rows=rows, **summary),
    )
    found_layers.measure()
    rng = np.random.default_rng(0)
    others = ["".join(rng.choice(list("AM"), 16)) for _ in range(300)]
    means = np.mean([regrets_of(name, [kept["best"], *others]) for name in NAMES], axis=0)
    assert means.argmin() == 0 and set(kept["best"]) == {"A", "M"}
    assert kept["rows"][-1]["pattern"] == "AM" * 8
    assert json.dumps(kept["rows"]) and kept["rows"][0]["mean"] == pytest.approx(means[0])
