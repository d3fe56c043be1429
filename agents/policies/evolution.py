"""Evolution on islands, with the language model as its variation operator.

The idea of FunSearch (Romera-Paredes et al. 2023), steady state: populations do not mix, except
that the worst half of the islands is emptied from time to time, and each of them restarts from the
best pattern of a surviving island. Within an island parents are drawn by rank, with probability
proportional to exp(-rank / (temperature x size)); two parents are crossed, one is improved.

Islands are derived from the record: a trial names its island, the initial design is distributed in
turn, and resets happen after fixed numbers of own trials.
"""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from nasarena.agents.policies.policy import Move, open_failure, operator_of, own
from nasarena.search.incumbent import best_first
from nasarena.search.settings import settings
from nasarena.search.trial import Proposal, Trial


@settings
class Evolution:
    """`population` best of each of `islands` may be parents; resets every `reset_every` trials."""

    islands: int = Field(3, ge=1, description="populations that never mix, but for resets")
    population: int = Field(16, ge=1, description="best of an island that may be parents")
    temperature: float = Field(0.25, gt=0, description="of the choice of parents by rank")
    crossover_share: float = Field(
        0.5, ge=0, le=1, description="chance of two parents instead of one"
    )
    reset_every: int = Field(
        40, ge=1, description="trials after which the worse half of the islands is refounded"
    )
    debug_depth: int = Field(1, ge=0, description="repairs of a failure in a row, at most")

    def next_move(
        self, trials: Sequence[Trial], pending: Sequence[Proposal], rng: np.random.Generator
    ) -> Move | None:
        """The islands take turns: mend a fresh failure, else breed, else draft."""
        broken = open_failure(trials, pending, self.debug_depth)
        if broken is not None:
            return Move("debug", (broken.index,), {"island": broken.details.get("island", "0")})
        turn = (len(own(trials)) + len(pending)) % self.islands
        details = {"island": str(turn)}
        members = best_first(self.populations(trials)[turn])[: self.population]
        if not members:
            return Move("draft", (), details)
        if len(members) > 1 and rng.random() < self.crossover_share:
            pair = self.draw(members, 2, rng)
            return Move("crossover", tuple(trial.index for trial in pair), details)
        return Move("improve", (self.draw(members, 1, rng)[0].index,), details)

    def populations(self, trials: Sequence[Trial]) -> list[list[Trial]]:
        """Scored trials of each island, after all resets so far."""
        islands: list[list[Trial]] = [[] for _ in range(self.islands)]
        num_own = num_dealt = 0
        for trial in trials:
            if operator_of(trial):
                home = int(trial.details.get("island", "0")) % self.islands
                num_own += 1
            else:
                home = num_dealt % self.islands
                num_dealt += 1
            if trial.status == "ok":
                islands[home].append(trial)
            if operator_of(trial) and num_own % self.reset_every == 0:
                islands = reset_worst(islands)
        return islands

    def draw(self, members: Sequence[Trial], count: int, rng: np.random.Generator) -> list[Trial]:
        """`count` different parents from members sorted best first, by their rank."""
        weights = np.exp(-np.arange(len(members)) / (self.temperature * len(members)))
        chosen = rng.choice(len(members), size=count, replace=False, p=weights / weights.sum())
        return [members[place] for place in chosen.tolist()]


def reset_worst(islands: Sequence[Sequence[Trial]]) -> list[list[Trial]]:
    """The worse half of the islands emptied, each refounded by the best of a surviving one.

    Islands rank by their best trial, an empty one last. The worst gets the founder of the best,
    the second worst that of the second best, and so on.
    """
    tops = [best_first(island)[:1] for island in islands]
    order = sorted(
        range(len(islands)),
        key=lambda place: (
            (-(tops[place][0].score or 0.0), place) if tops[place] else (np.inf, place)
        ),
    )
    renewed = [list(island) for island in islands]
    for rank in range(len(islands) // 2):
        renewed[order[-1 - rank]] = list(tops[order[rank]])
    return renewed
