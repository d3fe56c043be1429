"""One model of a run's scores, for whoever asks: what a pattern would score, and how sure that is.

It has two parts, fitted one after the other to the mean score of each pattern: a linear one of
letters, neighbours and where letters stand, which shares what every trial has shown, and what is
left, shared among similar patterns. The finalists of a run are named by it, and the instrumented
agent questions it. Its weakness: where a score is of one pattern and of none like it, the model
takes that for noise.
"""

from collections.abc import Collection, Sequence
from functools import cache

import numpy as np
from scipy.linalg import solve_triangular

from nasarena.search.fidelity import comparable
from nasarena.search.incumbent import best_first
from nasarena.search.models.linear_model import fit
from nasarena.search.models.neighbour_residual import fit_neighbours
from nasarena.search.models.pattern_features import Block, Features
from nasarena.search.models.window_optimum import Floats
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

FEWEST = 3  # scores that a model is fitted to
_BLOCKS: tuple[Block, ...] = ("counts", "bigrams", "trigrams", "smooth")
_NUM_ROOTS = 5  # best patterns whose neighbours are looked at


class ScoreModel:
    """Fitted to the trials of a run that `comparable` compares, at least `FEWEST` of them.

    Shapes: N tried patterns, in order of their best observed score; M patterns asked for.
    """

    def __init__(self, space: PatternSpace, trials: Sequence[Trial]) -> None:
        ranked = best_first(comparable(trials))
        self._space, self._features = space, _features(space)
        self.patterns = list(dict.fromkeys(trial.pattern for trial in ranked))
        scores_of = {pattern: list[float]() for pattern in self.patterns}
        for trial in ranked:
            scores_of[trial.pattern].append(trial.score or 0.0)
        scores_N = np.array([np.mean(scores_of[pattern]) for pattern in self.patterns])
        rows_NF = self._features(self.patterns)
        self._linear = fit(self._features, rows_NF, scores_N)
        means_N = self._linear.predict(rows_NF)
        self._neighbours = fit_neighbours(self.patterns, scores_N - means_N)
        self.means_N: Floats = means_N + self._neighbours.effects_N

    @property
    def spread(self) -> float:
        """The standard deviation of the scores, 1 where they are all equal."""
        return self._linear.spread

    def predict(self, patterns: Sequence[str]) -> tuple[Floats, Floats]:
        """Posterior mean and standard deviation of the true scores, each of shape `(M,)`.

        The parts are taken to be independent, which they are not quite.
        """
        rows_MF = self._features(patterns)
        solved_FM = solve_triangular(self._linear.root_FF, rows_MF.T, trans="T")
        linear_M = self.spread**2 * np.sum(solved_FM**2, axis=0)
        effects_M, variances_M = self._neighbours.predict(patterns)
        return self._linear.predict(rows_MF) + effects_M, np.sqrt(linear_M + variances_M)

    def optimum(self) -> str:
        """The best of all patterns by the linear part, exactly; the other part knows no others."""
        return self._features.optimum(self._linear.mean_F)

    def best_untried(self, count: int, taken: Collection[str] = ()) -> list[str]:
        """`count` patterns of highest posterior mean, neither tried nor `taken`.

        Looked at are the optimum, and what one change makes of it and of the best tried patterns.
        """
        order = np.argsort(-self.means_N, kind="stable")[:_NUM_ROOTS]
        roots = [self.optimum(), *(self.patterns[place] for place in order)]
        seen = {*self.patterns, *taken}
        made = (one for root in roots for one in (root, *self._space.neighbours(root)))
        candidates = list(dict.fromkeys(one for one in made if one not in seen))
        if not candidates:
            return []
        means_M, _ = self.predict(candidates)
        # Ties, up to rounding, keep their order.
        ranks = np.argsort(-np.round(means_M / self.spread, 9), kind="stable")
        return [candidates[place] for place in ranks[:count]]

    def effects_at(self, position: int) -> dict[str, float]:
        """What each letter does at a position, from 0, over the mean of all letters there.

        The mean prediction of the tried patterns with that letter put there.
        """
        means = {
            letter: float(np.mean(self.predict(self._with(letter, position))[0]))
            for letter in self._space.alphabet
        }
        centre = float(np.mean(list(means.values())))
        return {letter: mean - centre for letter, mean in means.items()}

    def _with(self, letter: str, position: int) -> list[str]:
        return [one[:position] + letter + one[position + 1 :] for one in self.patterns]


@cache
def _features(space: PatternSpace) -> Features:
    return Features(space, _BLOCKS)
