"""One-shot: the model proposes once, without feedback, and the run ends.

The weakest use of a language model; it measures prior knowledge. With `num_proposals` above 1, the
proposals are independent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasarena.agents.policies.policy import Move, own, require
from nasarena.search.trial import Proposal, Trial


@dataclass(frozen=True, slots=True)
class OneShot:
    """`num_proposals` drafts, then the end; invalid replies count."""

    num_proposals: int = 1

    def __post_init__(self) -> None:
        require(self.num_proposals >= 1, f"num_proposals must be >= 1, got {self.num_proposals}")

    def next_move(
        self, trials: Sequence[Trial], pending: Sequence[Proposal], rng: np.random.Generator
    ) -> Move | None:
        """A draft as long as there are fewer than `num_proposals`."""
        done = len(own(trials)) + len(pending) >= self.num_proposals
        return None if done else Move("draft")
