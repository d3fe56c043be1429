"""Greedy: a few drafts, then always improve the best; failures are repaired first.

The idea of AIDE's tree search as aira-dojo runs it, for patterns. A failed trial is debugged at
once with probability `debug_share`, at most `debug_depth` times in a chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasarena.agents.policies.policy import Move, best, open_failure, operator_of, require
from nasarena.search.trial import Proposal, Trial


@dataclass(frozen=True, slots=True)
class Greedy:
    """`drafts` first, debug with `debug_share` up to `debug_depth`, else improve the best."""

    drafts: int = 5
    debug_share: float = 1.0
    debug_depth: int = 3

    def __post_init__(self) -> None:
        require(self.drafts >= 1, f"drafts must be at least 1, got {self.drafts}")
        require(0 <= self.debug_share <= 1, f"debug_share must be in 0..1, got {self.debug_share}")
        require(self.debug_depth >= 0, f"debug_depth must be >= 0, got {self.debug_depth}")

    def next_move(
        self, trials: Sequence[Trial], pending: Sequence[Proposal], rng: np.random.Generator
    ) -> Move | None:
        """Draft, debug or improve; a failed draft counts as a draft, its repair does not."""
        made: tuple[Trial | Proposal, ...] = (*trials, *pending)
        if sum(operator_of(trial) == "draft" for trial in made) < self.drafts:
            return Move("draft")
        broken = open_failure(trials, pending, self.debug_depth)
        if broken is not None and rng.random() < self.debug_share:
            return Move("debug", (broken.index,))
        top = best(trials)
        return Move("draft") if top is None else Move("improve", (top.index,))
