"""Regularized evolution (Real et al. 2019, Alg. 1). Age, not fitness, decides who dies.

Each cycle samples `tournament` members with replacement, mutates the best of them and adds the
child; the oldest member goes. Defaults are the paper's P = 100, S = 25 scaled to small budgets as
in its own appendix experiments on small spaces: P = 50, S = 10. The initial design and random
patterns fill the population first. A failed pattern never enters it.
"""

from collections import deque
from collections.abc import Generator, Sequence

import numpy as np

from nasarena.search.errors import InvalidSetting
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial


@searcher("evolution")
def regularized_evolution(
    space: PatternSpace,
    rng: np.random.Generator,
    history: Sequence[Trial],
    population: int = 50,
    tournament: int = 10,
) -> Generator[str, Trial, None]:
    """Mutation changes one letter to another, both uniform (the paper's hidden-state mutation
    has no counterpart in a stack of layers)."""
    if not 1 <= tournament <= population:
        raise InvalidSetting(
            f"evolution needs 1 <= tournament <= population, got {tournament} and {population}"
        )
    members: deque[Trial] = deque(maxlen=population)
    members.extend(trial for trial in history if trial.score is not None)
    while len(members) < population:
        trial = yield space.sample(rng)
        if trial.score is not None:
            members.append(trial)
    while True:
        drawn = rng.integers(len(members), size=tournament).tolist()
        parent = max((members[index] for index in drawn), key=lambda trial: trial.score or 0.0)
        child = yield space.mutate(parent.pattern, rng)
        if child.score is not None:
            members.append(child)  # a full deque drops its oldest
