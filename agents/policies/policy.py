"""The Policy contract: which operator acts next, and on which earlier trials.

A policy is a frozen set of options and one pure function of the trials told so far; it keeps no
state. Trees, islands and repair chains are derived from the record, where each trial names its
parents and its operator. Resuming and replaying an agent need nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from nasarena.search.incumbent import best_first
from nasarena.search.trial import Proposal, Trial

OperatorName = Literal["draft", "improve", "debug", "crossover", "wish"]


@dataclass(frozen=True, slots=True)
class Move:
    """One step of a policy: an operator, the indices of its parents, and what to remember."""

    operator: OperatorName
    parents: tuple[int, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)


class Policy(Protocol):
    """Anything that chooses the next move."""

    def next_move(
        self, trials: Sequence[Trial], pending: Sequence[Proposal], rng: np.random.Generator
    ) -> Move | None:
        """The next move, or None to end the run.

        `trials` are those told, the initial design among them; `pending` those proposed in the
        same ask, whose trials will get the next indices; `rng` is a stream of this move alone.
        """
        ...


def operator_of(made: Trial | Proposal) -> str:
    """Which operator made a trial; empty for the initial design and for foreign trials."""
    return made.details.get("operator", "")


def own(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that an agent's operators made."""
    return [trial for trial in trials if operator_of(trial)]


def best(trials: Sequence[Trial]) -> Trial | None:
    """The trial of highest score, ties to the earlier one; None if nothing was scored."""
    return next(iter(best_first(trials)), None)


def open_failure(
    trials: Sequence[Trial], pending: Sequence[Proposal], max_depth: int
) -> Trial | None:
    """The newest failure of the agent's own that nobody has tried to mend yet.

    Failed, invalid and duplicate trials are failures. A chain of repairs ends after `max_depth`
    of them: its last failure stays as it is.
    """
    by_index = {trial.index: trial for trial in trials}
    made: tuple[Trial | Proposal, ...] = (*trials, *pending)
    mended = {index for one in made if operator_of(one) == "debug" for index in one.parents}
    for trial in reversed(trials):
        if trial.status != "ok" and operator_of(trial) and trial.index not in mended:
            return trial if _repairs_before(trial, by_index) < max_depth else None
    return None


def _repairs_before(trial: Trial, by_index: Mapping[int, Trial]) -> int:
    depth = 0
    while operator_of(trial) == "debug" and trial.parents[0] in by_index:
        depth += 1
        trial = by_index[trial.parents[0]]
    return depth
