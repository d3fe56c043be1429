"""Hyperband (Li et al. 2018, Alg. 1): successive halving with every number of rungs in turn.

How early to discard depends on how informative a short training is. Hyperband cycles through
brackets s = s_max, ..., 0: bracket s begins with ceil((s_max + 1) reduction^s / (s + 1)) patterns
at fidelity reduction^-s, so that each costs about the same, and the last one is random search. Then
it starts again, until the budget is spent. Here R = 1 is the full training and s_max = num_rungs -
1.
"""

import numpy as np

from nasarena.baselines.options import NumRungs, Reduction
from nasarena.baselines.successive_halving import BracketSearch
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace


def hyperband_brackets(num_rungs: int, reduction: int) -> list[tuple[int, int]]:
    """(number of patterns, number of rungs) of each bracket, the hastiest first."""
    return [
        (-(-num_rungs * reduction**halvings // (halvings + 1)), halvings + 1)
        for halvings in reversed(range(num_rungs))
    ]


@searcher("hyperband")
class Hyperband(BracketSearch):
    """Hyperband, Li et al. 2018: needs a proxy that scores partial trainings.

    `num_rungs` brackets in turn, of `num_rungs` rungs down to a single one.
    """

    def __init__(
        self,
        space: PatternSpace,
        rng: np.random.Generator,
        reduction: Reduction = 3,
        num_rungs: NumRungs = 3,
    ) -> None:
        super().__init__(space, rng, hyperband_brackets(num_rungs, reduction), reduction)
