"""PatternBench: 43 million layer patterns of a small hybrid language model, as Optuna's problem."""

from typing import Any

import optuna
import optunahub

from nasarena.proxies.patternbench.benchmark import PatternBench, data_folder
from nasarena.search.proxy import TrialSeed
from nasarena.search.space import PatternSpace

__all__ = ["Problem"]


class Problem(optunahub.benchmarks.BaseProblem):
    """The score (the loss, turned round) of a pattern of 16 layers, to be maximized.

    Args:
        landscape: `quick` or `long`.
        seed: one frozen noisy landscape; the same pattern has the same score on it.
        noise: scale of the noise of training; 0 answers with the true score.
    """

    def __init__(self, landscape: str = "quick", seed: int = 0, noise: float = 1.0) -> None:
        name = f"patternbench-{landscape}"
        self._space = PatternSpace("AMS", 16)
        self._bench = PatternBench(name, self._space, data_folder(name), noise)
        self._seed = TrialSeed(seed, 0)

    @property
    def search_space(self) -> dict[str, optuna.distributions.BaseDistribution]:
        letters = optuna.distributions.CategoricalDistribution(list(self._space.alphabet))
        return {f"layer_{place:02d}": letters for place in range(self._space.depth)}

    @property
    def directions(self) -> list[optuna.study.StudyDirection]:
        return [optuna.study.StudyDirection.MAXIMIZE]

    def evaluate(self, params: dict[str, Any]) -> float:
        """The noisy score of a pattern."""
        (outcome,) = self._bench.evaluate([self._pattern(params)], [self._seed])
        assert outcome.score is not None
        return outcome.score

    def true_score(self, params: dict[str, Any]) -> float:
        """The score without noise."""
        return self._bench.true_score(self._pattern(params))

    def regret(self, params: dict[str, Any]) -> float:
        """How far the true score is below the best of all patterns, exact."""
        return self._bench.regret(self._pattern(params))

    def _pattern(self, params: dict[str, Any]) -> str:
        return "".join(str(params[name]) for name in self.search_space)
