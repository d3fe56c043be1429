"""A genetic algorithm with crossover: steady state, binary tournaments, the worst is replaced.

Holland 1975; steady-state replacement as in Whitley's GENITOR (1989). Unlike regularized evolution
a good pattern never dies of age, and two parents are crossed position by position.
"""

from collections.abc import Generator, Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from nasarena.search.candidates.protocol import Space, num_places
from nasarena.search.searcher import searcher
from nasarena.search.settings import ByBudget
from nasarena.search.trial import Proposal, Trial


@searcher("genetic")
def genetic_algorithm(
    space: Space,
    rng: np.random.Generator,
    history: Sequence[Trial],
    population: Annotated[int, Field(ge=2, description="members")] = ByBudget(
        1 / 7, least=6, most=20
    ),
    crossover_rate: Annotated[
        float, Field(ge=0, le=1, description="share of children with two parents")
    ] = 0.9,
    mutation_rate: Annotated[
        Annotated[float, Field(ge=0, le=1)] | None,
        Field(description="chance of a letter to change; null: one letter a pattern"),
    ] = None,
) -> Generator[str | Proposal, Trial, None]:
    """Steady-state genetic algorithm with uniform crossover.

    `mutation_rate` is per letter or edit, by default one change. A failed child is not kept.
    """
    places = num_places(space)
    rate = 1 / places if mutation_rate is None else mutation_rate
    members: list[Trial] = []
    num_read = 0
    while True:
        for trial in history[num_read:]:
            _admit(members, trial, population)
        num_read = len(history)
        if len(members) < population:
            yield space.sample(rng)
        else:
            mother, father = (_tournament(members, rng) for _ in range(2))
            crossed = rng.random() < crossover_rate
            parents = (mother, father) if crossed else (mother,)
            mixed = (
                space.crossover(mother.pattern, father.pattern, rng) if crossed else mother.pattern
            )
            indices = tuple(dict.fromkeys(parent.index for parent in parents))
            # At least one change: an exact copy teaches nothing.
            num_changes = max(1, int(rng.binomial(places, rate)))
            yield Proposal(space.mutate(mixed, rng, num_changes), parents=indices)


def _admit(members: list[Trial], trial: Trial, population: int) -> None:
    """Join while there is room, afterwards in place of the worst if that is worse."""
    if trial.score is None:
        return
    if len(members) < population:
        members.append(trial)
        return
    worst = min(range(population), key=lambda index: _score(members[index]))
    if trial.score > _score(members[worst]):
        members[worst] = trial


def _tournament(members: Sequence[Trial], rng: np.random.Generator) -> Trial:
    first, second = (members[int(index)] for index in rng.integers(len(members), size=2))
    return first if _score(first) >= _score(second) else second


def _score(trial: Trial) -> float:
    assert trial.score is not None
    return trial.score
