"""PatternBench as an objective function of CARP-S: the loss of a pattern of 16 layers, minimized.

`configs/task/PatternBench` has a task for each landscape; README.md says how they are run.
"""

import time
from typing import Any

from carps.objective_functions.objective_function import ObjectiveFunction
from carps.utils.trials import StatusType, TrialInfo, TrialValue
from ConfigSpace import Categorical, ConfigurationSpace

from nasarena.proxies.patternbench.benchmark import PatternBench, data_folder
from nasarena.search.proxy import TrialSeed
from nasarena.search.space import PatternSpace


class PatternBenchObjective(ObjectiveFunction):
    """A parameter for each layer, from attention (A), MLP (M) and Mamba (S).

    `landscape` is `quick` or `long`. `seed` is one frozen noisy landscape: the same pattern has the
    same loss on it, for every optimizer. `noise` scales it; 0 answers with true losses.
    """

    def __init__(
        self,
        landscape: str = "quick",
        seed: int = 0,
        noise: float = 1.0,
        loggers: list[Any] | None = None,
    ) -> None:
        super().__init__(loggers)
        self._space = PatternSpace("AMS", 16)
        name = f"patternbench-{landscape}"
        self._bench = PatternBench(name, self._space, data_folder(name), noise)
        self._seed = TrialSeed(seed, 0)
        letters = list(self._space.alphabet)
        layers = [Categorical(f"layer_{at:02d}", letters) for at in range(self._space.depth)]
        self._configspace = ConfigurationSpace(name=name, seed=seed)
        self._configspace.add(*layers)

    @property
    def configspace(self) -> ConfigurationSpace:
        return self._configspace

    @property
    def f_min(self) -> float:
        """The lowest true loss of all patterns, exact."""
        return -self._bench.optimum()[1]

    def _evaluate(self, trial_info: TrialInfo) -> TrialValue:
        """The noisy loss; `virtual_time` is what the training takes by the cost model."""
        start = time.time()
        config = dict(trial_info.config)
        pattern = "".join(str(config[f"layer_{at:02d}"]) for at in range(self._space.depth))
        (outcome,) = self._bench.evaluate([pattern], [self._seed])
        assert outcome.score is not None
        return TrialValue(
            cost=-outcome.score,
            time=time.time() - start,
            virtual_time=outcome.cost.device_seconds,
            status=StatusType.SUCCESS,
            starttime=start,
            endtime=time.time(),
            additional_info={"true_loss": -self._bench.true_score(pattern)},
        )
