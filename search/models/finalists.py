"""The patterns of a run that deserve another look, named by one model for every searcher.

The highest observed score is mostly the luckiest training. `score_model.py` shares what every trial
has shown, and what similar patterns have, so that a searcher that works close to its best is judged
by what it has seen there. `measure.finalists` shows that neither part of it does alone.
"""

from collections.abc import Sequence

import numpy as np

from nasarena.search.fidelity import comparable
from nasarena.search.incumbent import best_first
from nasarena.search.models.score_model import FEWEST, ScoreModel
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial


def name_finalists(space: PatternSpace, trials: Sequence[Trial], count: int) -> list[str]:
    """The `count` tried patterns of highest posterior mean, fewer where fewer were scored.

    Equal ones go to the higher observed score, then to the earlier trial. Only trainings that
    `comparable` compares teach and count.
    """
    ranked = best_first(comparable(trials))
    patterns = list(dict.fromkeys(trial.pattern for trial in ranked))
    if len(ranked) < FEWEST or len(patterns) <= count:
        return patterns[:count]
    model = ScoreModel(space, trials)
    # Ties, up to rounding, keep the order of observed scores.
    order = np.argsort(-np.round(model.means_N / model.spread, 9), kind="stable")
    return [patterns[place] for place in order[:count]]
