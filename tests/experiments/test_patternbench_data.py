"""What PatternBench ships: rows, surrogate and card hold what the project promises of them."""

import json
from typing import Any

import pytest

from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.measure.patternbench import shipped_qualities
from nasarena.experiments.patternbench.sample import sample_of
from nasarena.experiments.settings.commands import evaluate_settings
from nasarena.proxies.patternbench.benchmark import DATA, ROWS, PatternBench
from nasarena.proxies.patternbench.rows import read_rows
from nasarena.search.proxy import TrialSeed
from nasarena.search.space import PatternSpace

SPACE = PatternSpace("AMS", 16)


@pytest.mark.skipif(not (DATA / ROWS).exists(), reason="no rows were shipped yet")
def test_what_is_shipped_is_what_was_promised() -> None:
    header, rows = read_rows(DATA / ROWS)
    sample = sample_of(rows)
    assert header["proxy"] == "quick"
    assert len(sample.patterns) >= 5000 and (sample.counts >= 2).sum() >= 1000
    assert sum(file.stat().st_size for file in DATA.iterdir()) < 10e6
    report = json.loads((DATA / "fit.json").read_text())
    assert len(report["kinds"]) >= 3
    found, part = shipped_qualities(DATA)
    assert found is not None and part is not None
    assert (found.num_patterns, part.num_patterns) == (400, 150)
    for judged, name in ((found, "test"), (part, "test_slice")):
        assert judged.kendall_tau == pytest.approx(report[name]["kendall_tau"], abs=1e-9)
    assert found.kendall_tau >= min(0.8, found.ceiling_interval[0])
    bench = PatternBench("patternbench", SPACE)
    config = evaluate_settings(["proxy=quick"])
    quick = build_proxy(config.proxy, config.space, cache=False)
    speed = {"population": 0, "step": "auto"}  # no result depends on these
    now, then = ({**o, **speed} for o in (config.proxy.options, header["settings"]))
    assert recorded(now, then) == then, "quick has changed since it was sampled"
    for row in (rows[100], rows[-1]):  # settings that came later leave trainings as they were
        (outcome,) = quick.evaluate([row.pattern], [TrialSeed(row.seed)])
        assert outcome.score == pytest.approx(row.score, abs=2e-3)
    for pattern in ("A" * 16, "AMSS" * 4, "M" * 15 + "S"):
        assert bench.cost(pattern).flops == quick.cost(pattern).flops


def recorded(now: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    """Of the settings `now` those that there were `then`, part by part."""
    return {
        key: recorded(now[key], value) if isinstance(value, dict) else now[key]
        for key, value in then.items()
    }
