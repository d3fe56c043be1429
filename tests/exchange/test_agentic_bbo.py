"""PatternBench as a task of AgenticBBO, held against that project's own checks."""

import random
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("bbo.core", reason="no AgenticBBO: put a checkout of it on PYTHONPATH")


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> Any:
    folder = Path(__file__).parents[2] / "integrations" / "agentic_bbo"
    monkeypatch.syspath_prepend(str(folder))
    from patternbench_task import PatternBenchTask

    return PatternBenchTask(landscape="quick", seed=2)


def test_it_passes_the_projects_own_check(task: Any) -> None:
    report = task.sanity_check()
    assert report.ok, report.errors
    assert {"background", "goal", "constraints"} <= set(report.metadata["description_sections"])


def test_it_scores_what_the_benchmark_says(task: Any) -> None:
    from bbo.core.trial import TrialSuggestion

    from nasarena.proxies.patternbench.benchmark import PatternBench, data_folder
    from nasarena.search.proxy import TrialSeed
    from nasarena.search.space import PatternSpace

    name = "patternbench-quick"
    bench = PatternBench(name, PatternSpace("AMS", 16), data_folder(name))
    for seed in range(5):
        config = task.spec.search_space.sample(random.Random(seed))
        pattern = "".join(config.values())
        (outcome,) = bench.evaluate([pattern], [TrialSeed(2, 0)])
        result = task.evaluate(TrialSuggestion(config))
        assert outcome.score is not None and result.objectives == {"loss": -outcome.score}
        assert task.regret(config) == bench.regret(pattern)
        assert result.success
