"""The patterns of a run that deserve another look, named by one model for every searcher.

The highest observed score is mostly the luckiest training. A linear model of letters, neighbours
and where letters stand, fitted to the run's own trials, shares what every trial has shown, and its
posterior mean orders the patterns tried. Its weakness: where scores depend on what no window of
neighbours shows, it names the wrong ones.
"""

from collections.abc import Sequence

import numpy as np

from nasarena.search.fidelity import comparable
from nasarena.search.incumbent import best_first
from nasarena.search.models.linear_model import fit
from nasarena.search.models.pattern_features import Block, Features
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

_BLOCKS: tuple[Block, ...] = ("counts", "bigrams", "trigrams", "smooth")
_FEWEST = 3  # scores that a model is fitted to


def name_finalists(space: PatternSpace, trials: Sequence[Trial], count: int) -> list[str]:
    """The `count` tried patterns of highest posterior mean, fewer where fewer were scored.

    Equal ones go to the higher observed score, then to the earlier trial. Only trainings that
    `comparable` compares teach and count.
    """
    ranked = best_first(comparable(trials))
    patterns = list(dict.fromkeys(trial.pattern for trial in ranked))
    if len(ranked) < _FEWEST or len(patterns) <= count:
        return patterns[:count]
    features = Features(space, _BLOCKS)
    in_order = sorted(ranked, key=lambda trial: trial.index)
    scores_N = np.array([trial.score for trial in in_order], dtype=np.float64)
    posterior = fit(features, features([trial.pattern for trial in in_order]), scores_N)
    means = np.round(posterior.predict(features(patterns)) / posterior.spread, 9)
    order = np.argsort(-means, kind="stable")  # ties keep the order of observed scores
    return [patterns[place] for place in order[:count]]
