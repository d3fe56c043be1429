"""Shared by searchers with a Gaussian process: random start, tried patterns, scores."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nasarena.baselines.fitted_process import FittedProcess
from nasarena.baselines.private_random import private_random
from nasarena.baselines.untried import Untried
from nasarena.search.trial import Trial

if TYPE_CHECKING:
    from botorch.models import SingleTaskGP
    from torch import Tensor


class ModelSearch:
    """A searcher but for `by_model`. `num_startup` random patterns, the initial design among them,
    come before the model; no pattern is asked twice.
    """

    def __init__(
        self,
        space: Any,
        rng: np.random.Generator,
        num_startup: int,
        make_process: Callable[["Tensor", "Tensor"], "SingleTaskGP"],
    ) -> None:
        self._space, self._rng = space, rng
        self._num_startup = max(2, num_startup)
        self._untried = Untried(space)
        self._patterns: list[str] = []  # scored ones, in the order told
        self._scores: list[float] = []
        self._process = FittedProcess(make_process)

    def ask(self, n: int) -> list[str]:
        """Up to `n` patterns that were not tried; fewer where no more are left."""
        n = min(n, self._untried.num_left)
        if len(self._patterns) < self._num_startup:
            drawn = (self._untried.draw(self._rng) for _ in range(n))
            return [pattern for pattern in drawn if pattern is not None]
        with private_random(self._rng, uses_torch=True):
            return self.by_model(n)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._untried.discard(trial.pattern for trial in trials)
        for trial in trials:
            if trial.score is not None:
                self._patterns.append(trial.pattern)
                self._scores.append(trial.score)

    def best_first(self) -> list[str]:
        """Scored patterns, ties in the order told."""
        order = np.argsort(-np.array(self._scores), kind="stable")
        return [self._patterns[index] for index in order]

    def by_model(self, n: int) -> list[str]:
        """`n` patterns, of which at least as many are left untried. Every subclass has its own."""
        raise NotImplementedError
