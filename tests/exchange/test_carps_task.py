"""PatternBench as a task of CARP-S, made by its own loader and searched by its random search."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("carps", reason="no CARP-S, which brings 45 packages: pip install carps")
FOLDER = Path(__file__).parents[2] / "integrations" / "carps"


def make(name: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    from carps.utils.running import make_task
    from omegaconf import OmegaConf

    monkeypatch.syspath_prepend(str(FOLDER))
    config = OmegaConf.load(FOLDER / "configs" / "task" / "PatternBench" / f"{name}.yaml")
    config.seed = seed
    return make_task(config)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["quick", "long"])
def test_a_task_scores_what_the_benchmark_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from carps.utils.trials import TrialInfo

    from nasarena.proxies.patternbench.benchmark import PatternBench, data_folder
    from nasarena.search.proxy import TrialSeed
    from nasarena.search.space import PatternSpace

    task = make(name, 3, monkeypatch)
    objective = task.objective_function
    assert objective.configspace == task.input_space.configuration_space
    full = f"patternbench-{name}"
    bench = PatternBench(full, PatternSpace("AMS", 16), data_folder(full))
    assert objective.f_min == -bench.optimum()[1]
    for config in objective.configspace.sample_configuration(5):
        pattern = "".join(config[f"layer_{place:02d}"] for place in range(16))
        value = objective.evaluate(TrialInfo(config=config, seed=3))
        (outcome,) = bench.evaluate([pattern], [TrialSeed(3, 0)])
        assert outcome.score is not None and value.cost == -outcome.score
        assert value.additional_info["true_loss"] == -bench.true_score(pattern) >= objective.f_min
        assert value.virtual_time == bench.cost(pattern).device_seconds


@pytest.mark.filterwarnings("ignore")
def test_an_optimizer_of_carps_runs_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from carps.optimizers.random_search import RandomSearchOptimizer

    task = make("quick", 0, monkeypatch)
    optimizer = RandomSearchOptimizer(task=task)
    optimizer.setup_optimizer()
    incumbent = optimizer.run()
    _, value = incumbent[0] if isinstance(incumbent, list) else incumbent
    assert task.objective_function.n_function_calls == 100
    assert value.cost > 2 and value.additional_info["true_loss"] >= task.objective_function.f_min
