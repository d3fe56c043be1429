"""The patterns of a run that deserve another look, named by one model for every searcher.

The highest observed score is mostly the luckiest training. The model, fitted to the run's own
trials, has two parts: a linear one of letters, neighbours and where letters stand, which shares
what every trial has shown, and what is left, shared among similar patterns, so that a searcher that
works close to its best is judged by what it has seen there. `measure.finalists` shows that neither
part does alone. Its weakness: where a score is of one pattern and of none like it, the model takes
that for noise.
"""

from collections.abc import Sequence

import numpy as np

from nasarena.search.fidelity import comparable
from nasarena.search.incumbent import best_first
from nasarena.search.models.linear_model import fit
from nasarena.search.models.neighbour_residual import neighbour_effects
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
    mean_scores = {pattern: list[float]() for pattern in patterns}
    for trial in ranked:
        mean_scores[trial.pattern].append(trial.score or 0.0)
    scores_N = np.array([np.mean(mean_scores[pattern]) for pattern in patterns])
    rows_NF = features(patterns)
    posterior = fit(features, rows_NF, scores_N)
    means_N = posterior.predict(rows_NF)
    means_N = means_N + neighbour_effects(patterns, scores_N - means_N)
    # Ties, up to rounding, keep the order of observed scores.
    order = np.argsort(-np.round(means_N / posterior.spread, 9), kind="stable")
    return [patterns[place] for place in order[:count]]
