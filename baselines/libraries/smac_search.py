"""SMAC3 as it is published: a random forest and log expected improvement over categorical layers.

Lindauer et al. 2022, JMLR 23(54), by the package of its authors: the facade for hyperparameters,
with its own initial design (Sobol points, a quarter of the trials at most), a variable a layer.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from weakref import finalize

import numpy as np

from nasarena.baselines.private_random import private_random
from nasarena.baselines.untried import Untried
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

_UNBOUNDED = 10**6  # trials, where no number of them is known


@searcher("smac", requires="smac", budget_aware=True)
class Smac:
    """SMAC's `HyperparameterOptimizationFacade`; no pattern twice.

    Trials it did not ask for (the initial design) are told as foreign ones. Failed trials are not
    told: a made-up cost would bend the forest.
    """

    def __init__(
        self, space: PatternSpace, rng: np.random.Generator, num_trials: int | None = None
    ) -> None:
        self._space, self._rng = space, rng
        self._untried = Untried(space)
        self._asked: dict[str, Any] = {}
        folder = Path(mkdtemp(prefix="nasarena-smac-"))  # SMAC wants one for a record of its own
        finalize(self, shutil.rmtree, folder, ignore_errors=True)
        with private_random(rng):
            self._smac = _make_facade(space, int(rng.integers(2**31)), num_trials, folder)

    def ask(self, n: int) -> list[str]:
        """Up to `n` patterns that were not tried; fewer where no more are left."""
        with private_random(self._rng):
            return [self._ask_one() for _ in range(min(n, self._untried.num_left))]

    def tell(self, trials: Sequence[Trial]) -> None:
        with private_random(self._rng):
            for trial in trials:
                self._untried.discard([trial.pattern])
                if trial.score is not None:
                    self._tell_one(trial.pattern, trial.score)

    def _ask_one(self) -> str:
        """What SMAC asks; where it repeats itself or has no more, an untried pattern."""
        try:
            asked = self._smac.ask()
            pattern = "".join(asked.config[name] for name in _names(self._space))
        except StopIteration:
            pattern = None
        if pattern is None or pattern not in self._untried:
            pattern = self._untried.draw(self._rng)
        else:
            self._asked[pattern] = asked
        assert pattern is not None, "as many are left"
        self._untried.discard([pattern])
        return pattern

    def _tell_one(self, pattern: str, score: float) -> None:
        from smac.runhistory.dataclasses import TrialValue

        asked = self._asked.pop(pattern, None) or _foreign(self._smac, self._space, pattern)
        self._smac.tell(asked, TrialValue(cost=-score, time=0.0), save=False)


def _make_facade(space: PatternSpace, seed: int, num_trials: int | None, folder: Path) -> Any:
    from ConfigSpace import Categorical, ConfigurationSpace
    from smac import HyperparameterOptimizationFacade, Scenario

    layers = ConfigurationSpace(seed=seed)
    layers.add([Categorical(name, list(space.alphabet)) for name in _names(space)])
    scenario = Scenario(
        layers,
        n_trials=num_trials or _UNBOUNDED,
        seed=seed,
        deterministic=True,
        output_directory=folder,
    )

    def never_called(config: Any, seed: int = 0) -> float:
        raise AssertionError("trials are asked for and told")

    return HyperparameterOptimizationFacade(
        scenario, never_called, logging_level=False, overwrite=True
    )


def _foreign(smac: Any, space: PatternSpace, pattern: str) -> Any:
    """A pattern that SMAC did not ask for, as it names trials."""
    from ConfigSpace import Configuration
    from smac.runhistory.dataclasses import TrialInfo

    layers = smac.scenario.configspace
    values = dict(zip(_names(space), pattern, strict=True))
    return TrialInfo(Configuration(layers, values=values), seed=0)


def _names(space: PatternSpace) -> list[str]:
    return [f"layer {place:02}" for place in range(space.depth)]
