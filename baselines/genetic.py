"""A genetic algorithm with crossover: steady state, binary tournaments, the worst is replaced.

Holland 1975; steady-state replacement as in Whitley's GENITOR (1989). Unlike regularized evolution
a good pattern stays for ever, and two parents mix position by position.
"""

from collections.abc import Generator, Sequence

import numpy as np

from nasarena.search.errors import InvalidSetting
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial


@searcher("genetic")
def genetic_algorithm(
    space: PatternSpace,
    rng: np.random.Generator,
    history: Sequence[Trial],
    population: int = 20,
    crossover_rate: float = 0.9,
    mutation_rate: float | None = None,
) -> Generator[str, Trial, None]:
    """`mutation_rate` is per letter, by default 1 / depth. A failed child is not kept."""
    if population < 2:
        raise InvalidSetting(f"genetic needs a population of at least 2, got {population}")
    rate = 1 / space.depth if mutation_rate is None else mutation_rate
    members = [trial for trial in history if trial.score is not None]
    while len(members) < population:
        trial = yield space.sample(rng)
        if trial.score is not None:
            members.append(trial)
    while True:
        mother, father = (_tournament(members, rng).pattern for _ in range(2))
        mixed = space.crossover(mother, father, rng) if rng.random() < crossover_rate else mother
        child = yield _mutated(space, mixed, rng, rate)
        worst = min(range(len(members)), key=lambda index: _score(members[index]))
        if child.score is not None and child.score > _score(members[worst]):
            members[worst] = child


def _tournament(members: Sequence[Trial], rng: np.random.Generator) -> Trial:
    first, second = (members[int(index)] for index in rng.integers(len(members), size=2))
    return first if _score(first) >= _score(second) else second


def _mutated(space: PatternSpace, pattern: str, rng: np.random.Generator, rate: float) -> str:
    """Each letter changes with probability `rate`, at least one: an exact copy teaches nothing."""
    num_changes = max(1, int(rng.binomial(space.depth, rate)))
    return space.mutate(pattern, rng, num_changes)


def _score(trial: Trial) -> float:
    assert trial.score is not None
    return trial.score
