"""Greedy: a few drafts, then always improve the best; failures are repaired first.

The idea of AIDE's tree search as aira-dojo runs it, for patterns. A failed trial is debugged at
once with probability `debug_share`, at most `debug_depth` times in a chain.
"""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from nasarena.agents.policies.policy import Move, best, open_failure, operator_of
from nasarena.search.settings import settings
from nasarena.search.trial import Proposal, Trial


@settings
class Greedy:
    """`drafts` first, debug with `debug_share` up to `debug_depth`, else improve the best."""

    drafts: int = Field(5, ge=1, description="patterns drafted before the best is improved")
    debug_share: float = Field(1.0, ge=0, le=1, description="chance to mend a fresh failure")
    debug_depth: int = Field(3, ge=0, description="repairs of a failure in a row, at most")

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
