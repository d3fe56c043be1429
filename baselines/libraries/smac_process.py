"""SMAC in a process of its own: a message a line, in JSON, on the standard streams.

    {"parameters": [...], "seed": 7, "num_startup": 4, "retrain_after": 1}
    {"ask": 2}                                                 -> [[0, 0.5], [1, 2]]
    {"tell": [[[0, 0.5], -0.3], [[1, 2], null]]}               -> null

A point is a value for each parameter. SMAC's asks depend on the order in which Python's hashes put
things, so its caller fixes that order (`PYTHONHASHSEED`), whatever it is in its own process. It
ends with its input, so also when the process that asks is killed.

It is the facade for hyperparameters (Lindauer et al. 2022), a random forest and expected
improvement, less the logarithm of costs: a score may have either sign.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ConfigSpace import Configuration, ConfigurationSpace
    from ConfigSpace.hyperparameters import Hyperparameter
    from smac.runhistory.dataclasses import TrialInfo

_MOST_TRIALS = 10**6  # the caller says when it is over
_SEED = 0  # of a trial of which every training counts alike


class Smac:
    """One optimization. What is told before the first ask takes the place of random trials."""

    def __init__(
        self,
        parameters: Sequence[Mapping[str, Any]],
        seed: int,
        num_startup: int,
        retrain_after: int,
    ) -> None:
        from ConfigSpace import ConfigurationSpace

        self._space = ConfigurationSpace(seed=seed)
        self._space.add([_parameter(f"p{i:03d}", one) for i, one in enumerate(parameters)])
        self._seed, self._num_startup, self._retrain_after = seed, num_startup, retrain_after
        self._facade: Any = None
        self._told: list[tuple[list[Any], float | None]] = []
        self._asked: dict[str, TrialInfo] = {}
        self._worst: float | None = None

    def ask(self, count: int) -> list[list[Any]]:
        """So many points; fewer where the space has no more."""
        from smac.main.exceptions import ConfigurationSpaceExhaustedException

        if self._facade is None:
            self._facade = self._build()
            for point, score in self._told:
                self._pass_on(point, score)
        points = []
        for _ in range(count):
            try:
                trial = self._facade.ask()
            except (StopIteration, ConfigurationSpaceExhaustedException):
                break
            point = [_plain(trial.config[name]) for name in self._space]
            self._asked[json.dumps(point)] = trial
            points.append(point)
        return points

    def tell(self, results: Sequence[tuple[list[Any], float | None]]) -> None:
        """Scores of points, None of those that failed; also of points that were not asked."""
        if self._facade is None:
            self._told += results
            return
        for point, score in results:
            self._pass_on(point, score)

    def _build(self) -> Any:
        from smac import HyperparameterOptimizationFacade as Facade
        from smac import Scenario
        from smac.acquisition.function import EI
        from smac.initial_design import RandomInitialDesign
        from smac.main.config_selector import ConfigSelector
        from smac.model.random_forest import RandomForest
        from smac.runhistory.encoder import RunHistoryEncoder

        scenario = Scenario(
            self._space,
            name="nasarena",
            deterministic=True,
            n_trials=_MOST_TRIALS,
            seed=self._seed,
        )
        num_random = max(0, self._num_startup - len(self._told))
        return Facade(
            scenario,
            lambda config, seed=0: 0.0,
            initial_design=RandomInitialDesign(scenario, n_configs=num_random),
            intensifier=Facade.get_intensifier(scenario, max_config_calls=1),
            model=RandomForest(configspace=self._space, seed=self._seed),
            acquisition_function=EI(),
            runhistory_encoder=RunHistoryEncoder(scenario),
            config_selector=ConfigSelector(scenario, retrain_after=self._retrain_after),
            logging_level=False,
            overwrite=True,
        )

    def _pass_on(self, point: list[Any], score: float | None) -> None:
        from smac.runhistory.dataclasses import TrialInfo, TrialValue
        from smac.runhistory.enumerations import StatusType

        trial = self._asked.pop(json.dumps(point), None)
        if trial is None:
            trial = TrialInfo(_configuration(self._space, point), seed=_SEED)
        if score is None:
            if self._worst is None:
                return  # nothing to compare a failure with
            value = TrialValue(cost=self._worst, status=StatusType.CRASHED)
        else:
            self._worst = max(-score, self._worst if self._worst is not None else -score)
            value = TrialValue(cost=-score)
        self._facade.tell(trial, value, save=False)


def _parameter(name: str, given: Mapping[str, Any]) -> "Hyperparameter[Any, Any]":
    from ConfigSpace.hyperparameters import (
        CategoricalHyperparameter,
        UniformFloatHyperparameter,
        UniformIntegerHyperparameter,
    )

    if given["kind"] == "choice":
        return CategoricalHyperparameter(name, list(range(given["count"])))
    low, high, start = given["low"], given["high"], given["start"]
    if given["kind"] == "int":
        return UniformIntegerHyperparameter(name, low, high, default_value=start)
    is_log = given["kind"] == "log"
    return UniformFloatHyperparameter(name, low, high, default_value=start, log=is_log)


def _configuration(space: "ConfigurationSpace", point: list[Any]) -> "Configuration":
    from ConfigSpace import Configuration

    return Configuration(space, values=dict(zip(space, point, strict=True)))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def main() -> None:
    """Answer until the input ends. What the library prints goes to the error stream."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    smac = Smac(**json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        message = json.loads(line)
        points = None
        if "ask" in message:
            points = smac.ask(message["ask"])
        else:
            smac.tell(message["tell"])
        print(json.dumps(points), file=answers, flush=True)


if __name__ == "__main__":
    main()
