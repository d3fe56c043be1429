"""Regularized evolution (Real et al. 2019, Alg. 1). Age, not fitness, decides who dies.

The population is the last `population` scored trials. Each cycle samples `tournament` of them with
replacement and mutates the best; the child joins and the oldest leaves. The initial design and
random patterns fill the population first; a failed pattern never enters it.

The paper runs P = 100 and S = 25 for 20,000 models. Here a whole budget may be 72 trials, and with
P = 50 most of them would be the random fill; so the default is a ninth of the budget's patterns, 8
to 50, and a tournament of half of that: the best of those tried on synthetic landscapes
(`measure.searchers.searcher_settings`). `experiments/benchmarks/evolution.py` runs the published
values.
"""

from collections import deque
from collections.abc import Generator, Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from nasarena.search.errors import InvalidSetting
from nasarena.search.searcher import searcher
from nasarena.search.settings import ByBudget
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Proposal, Trial


@searcher("evolution")
def regularized_evolution(
    space: PatternSpace,
    rng: np.random.Generator,
    history: Sequence[Trial],
    population: Annotated[
        int, Field(ge=1, description="members; the oldest goes when one comes")
    ] = ByBudget(1 / 9, least=8, most=50),
    tournament: Annotated[
        Annotated[int, Field(ge=1)] | None,
        Field(description="members drawn, the best of which is mutated; null: half of population"),
    ] = None,
) -> Generator[str | Proposal, Trial, None]:
    """Regularized evolution, Real et al. 2019, Alg. 1.

    The oldest of `population` patterns dies; the best of `tournament` random ones is mutated. A
    mutation changes one letter to another, both uniform; the paper's hidden-state mutation has
    no counterpart in a stack of layers. Raises InvalidSetting unless
    1 <= tournament <= population.
    """
    if tournament is None:
        tournament = max(1, round(population / 2))
    if not 1 <= tournament <= population:
        raise InvalidSetting(
            f"evolution needs 1 <= tournament <= population, got {tournament} and {population}"
        )
    members: deque[Trial] = deque(maxlen=population)  # a full deque drops its oldest
    num_read = 0
    while True:
        members.extend(trial for trial in history[num_read:] if trial.score is not None)
        num_read = len(history)
        if len(members) < population:
            yield space.sample(rng)
        else:
            drawn = rng.integers(population, size=tournament).tolist()
            parent = max((members[index] for index in drawn), key=lambda trial: trial.score or 0.0)
            yield Proposal(space.mutate(parent.pattern, rng), parents=(parent.index,))
