"""The packages for OptunaHub: loaded by its own loader, and held against Optuna's sampler tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

optuna = pytest.importorskip("optuna", reason="no Optuna: pip install 'nasarena[optimizers]'")
optunahub = pytest.importorskip("optunahub", reason="no OptunaHub: pip install optunahub")
from optuna.distributions import CategoricalDistribution, FloatDistribution  # noqa: E402
from optuna.testing.pytest_samplers import (  # noqa: E402
    BasicSamplerTestCase,
    SingleOnlySamplerTestCase,
)

from nasarena.experiments.exchange.optuna_sampler import layers_of  # noqa: E402

REGISTRY = Path(__file__).parents[2] / "integrations" / "optunahub" / "package"
HIDDEN = "AMSSMAAM"
PACKAGES = ["benchmarks/patternbench", "samplers/ngram_thompson", "samplers/embedded_agent"]


def load(package: str) -> Any:
    return optunahub.load_local_module(package, registry_root=str(REGISTRY))


def ngram(**options: Any) -> Any:
    return load("samplers/ngram_thompson").NgramThompsonSampler(**options)


def agent(**options: Any) -> Any:
    return load("samplers/embedded_agent").EmbeddedAgentSampler(**options)


class TestNgramThompson(BasicSamplerTestCase, SingleOnlySamplerTestCase):  # type: ignore[misc]
    @pytest.fixture
    def sampler(self) -> Callable[[], Any]:
        return lambda: ngram(num_startup=4, seed=0)


class TestEmbeddedAgent(BasicSamplerTestCase):  # type: ignore[misc]
    @pytest.fixture
    def sampler(self) -> Callable[[], Any]:
        return lambda: agent(seed=0)


def agreeing(trial: Any) -> float:
    """Letters that agree with a hidden pattern; the layers are named so that 10 comes after 9."""
    letters = [trial.suggest_categorical(f"layer_{place + 5}", "AMS") for place in range(8)]
    trial.suggest_float("rate", 0, 1)
    if letters[0] == letters[1] == "S":
        raise ArithmeticError("diverged")
    return float(sum(a == b for a, b in zip(letters, HIDDEN, strict=True)))


def study_of(sampler: Any, num_trials: int, direction: str = "maximize") -> Any:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sign = 1 if direction == "maximize" else -1
    study = optuna.create_study(sampler=sampler, direction=direction)
    study.optimize(lambda t: sign * agreeing(t), n_trials=num_trials, catch=ArithmeticError)
    return study


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_ngram_thompson_finds_what_random_search_does_not(direction: str) -> None:
    found = study_of(ngram(num_startup=8, seed=1), 50, direction)
    blind = study_of(optuna.samplers.RandomSampler(seed=1), 50, direction)
    assert abs(found.best_value) == 8 > abs(blind.best_value)
    rates = [trial.params["rate"] for trial in found.trials]
    assert np.std(rates) > 0.15  # what is no layer is drawn at random


def test_the_same_seed_asks_the_same() -> None:
    first, second, other = (
        [trial.params for trial in study_of(ngram(num_startup=4, seed=seed), 15).trials]
        for seed in (3, 3, 4)
    )
    assert first == second != other


def test_the_embedded_agent_proposes_the_layers() -> None:
    space = {f"layer_{place + 5}": CategoricalDistribution(list("AMS")) for place in range(8)}
    study = study_of(agent(search_space=space, seed=0), 6)
    patterns = ["".join(trial.params[name] for name in space) for trial in study.trials]
    assert len(set(patterns)) >= 4
    again = study_of(agent(search_space=space, seed=0), 6)
    assert [trial.params for trial in again.trials] == [trial.params for trial in study.trials]


def test_layers_are_the_largest_group_in_the_order_of_their_numbers() -> None:
    letters, others = CategoricalDistribution(list("AMS")), CategoricalDistribution([1, 2])
    space = {f"layer{place}": letters for place in (10, 2, 1)}
    found = layers_of({"a": others, "b": others, **space, "rate": FloatDistribution(0, 1)})
    assert list(found) == ["layer1", "layer2", "layer10"]
    assert list(layers_of({"a": others, "b": others}, alphabet="AMS")) == []


def test_patternbench_is_a_problem_with_exact_regret() -> None:
    problem = load("benchmarks/patternbench").Problem(seed=2)
    study = optuna.create_study(
        directions=problem.directions, sampler=ngram(search_space=problem.search_space, seed=0)
    )
    study.optimize(problem, n_trials=30)
    regrets = [problem.regret(trial.params) for trial in study.trials]
    assert min(regrets) >= 0 and problem.regret(study.best_params) < np.median(regrets)
    quiet = load("benchmarks/patternbench").Problem(noise=0.0)
    params = study.trials[-1].params
    assert quiet.true_score(params) == problem.true_score(params)
    assert problem.evaluate(params) == study.trials[-1].value


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_has_what_the_registry_asks_for(package: str) -> None:
    from yaml import safe_load

    folder = REGISTRY / package
    _, front, page = (folder / "README.md").read_text().split("---\n", 2)
    facts = safe_load(front)
    assert set(facts) == {"author", "title", "description", "tags", "optuna_versions", "license"}
    assert {"sampler" if "samplers" in package else "benchmark"} <= set(facts["tags"])
    assert all(f"## {title}" in page for title in ("Abstract", "APIs", "Installation", "Example"))
    example = (folder / "example.py").read_text()
    assert f'package="{package}"' in example
    assert (folder / "LICENSE").read_text() == (REGISTRY.parents[2] / "LICENSE").read_text()
    compile(example, "example.py", "exec")
