"""Thompson sampling with a linear model of letters, their neighbours and their places.

Each turn draws one set of weights from the posterior of all scores so far (Thompson 1933; linear
models: Agrawal and Goyal 2013) and tries the best of all patterns under them, which dynamic
programming finds exactly. Exploration is the posterior's own uncertainty, cooled: under whole
samples most of 200 noisy trials go far from the best (`measure.searchers.searcher_settings` chose
the temperature). It cannot see what no window of neighbours shows, such as two letters far apart
that must agree.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from nasarena.baselines.options import NumStartup
from nasarena.baselines.untried import Untried
from nasarena.search.models.linear_model import Posterior, fit
from nasarena.search.models.pattern_features import Block, Features
from nasarena.search.searcher import searcher
from nasarena.search.settings import ByBudget
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

_BLOCKS: tuple[Block, ...] = ("counts", "bigrams", "smooth", "positions")
Row = np.ndarray[tuple[int], np.dtype[np.float64]]
_NUM_STARTUP = ByBudget(1 / 10, least=4, most=20)
_REDRAWS = 8  # of weights whose best pattern was tried before


@searcher("ngram-thompson", max_parallel=1)
class NgramThompson:
    """Thompson sampling over the whole space; failed trials teach it nothing."""

    def __init__(
        self,
        space: PatternSpace,
        rng: np.random.Generator,
        num_startup: NumStartup = _NUM_STARTUP,
        trigrams: Annotated[bool, Field(description="also model triples of neighbours")] = True,
        temperature: Annotated[
            float,
            Field(ge=0, description="of the posterior's spread; 1 samples it, 0 takes its mean"),
        ] = 0.3,
    ) -> None:
        self._features = Features(space, (*_BLOCKS, "trigrams") if trigrams else _BLOCKS)
        self._untried, self._rng = Untried(space), rng
        self._num_startup, self._temperature = max(2, num_startup), temperature
        self._patterns: list[str] = []
        self._rows: list[Row] = []
        self._scores: list[float] = []
        self._posterior: Posterior | None = None

    def ask(self, n: int) -> list[str]:
        """One pattern; none when everything was tried."""
        if len(self._scores) < self._num_startup:
            pattern = self._untried.draw(self._rng)
        else:
            posterior = self._fit()
            pattern = _choose(
                self._features, posterior, self._temperature, self._untried, self._rng
            )
        return [] if pattern is None else [pattern]

    def tell(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            self._untried.discard([trial.pattern])
            if trial.score is not None:
                self._patterns.append(trial.pattern)
                self._rows.append(self._features([trial.pattern])[0])
                self._scores.append(trial.score)

    def recommend(self, k: int) -> list[str]:
        """The best pattern of all by the posterior mean, then the best of those tried."""
        if len(self._scores) < self._num_startup:
            return []
        posterior = self._fit()
        best = self._features.optimum(posterior.mean_F)
        means_N = posterior.predict(np.stack(self._rows))
        ranked = [self._patterns[place] for place in np.argsort(-means_N, kind="stable")]
        return list(dict.fromkeys([best, *ranked]))[:k]

    def _fit(self) -> Posterior:
        rows_NF, scores_N = np.stack(self._rows), np.array(self._scores)
        self._posterior = fit(self._features, rows_NF, scores_N, self._posterior)
        return self._posterior


def _choose(
    features: Features,
    posterior: Posterior,
    temperature: float,
    untried: Untried,
    rng: np.random.Generator,
) -> str | None:
    """An untried pattern that is best under drawn weights, else the best untried beside one."""
    for _ in range(_REDRAWS):
        weights_F = posterior.mean_F + temperature * (posterior.sample(rng) - posterior.mean_F)
        pattern = features.optimum(weights_F)
        if pattern in untried:
            return pattern
    near = [one for one in features.space.neighbours(pattern) if one in untried]
    if not near:
        return untried.draw(rng)
    return near[int(np.argmax(features(near) @ weights_F))]
