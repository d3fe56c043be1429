"""One-shot: the model proposes once, without feedback, and the run ends.

The weakest use of a language model; it measures prior knowledge. With `num_proposals` above 1, the
proposals are independent.
"""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from nasarena.agents.policies.policy import Move, own
from nasarena.search.settings import settings
from nasarena.search.trial import Proposal, Trial


@settings
class OneShot:
    """`num_proposals` drafts, then the end; invalid replies count."""

    num_proposals: int = Field(1, ge=1, description="drafts, each without feedback")

    def next_move(
        self, trials: Sequence[Trial], pending: Sequence[Proposal], rng: np.random.Generator
    ) -> Move | None:
        """A draft as long as there are fewer than `num_proposals`."""
        done = len(own(trials)) + len(pending) >= self.num_proposals
        return None if done else Move("draft")
