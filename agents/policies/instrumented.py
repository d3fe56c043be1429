"""Instrumented: sequential sampling by an agent that may question a model of scores first.

Every move is a draft, as in `independent.py`. Before each, the agent may put up to `queries`
questions to the model that names the finalists of every run; what it is told stands in the prompt
of the draft. Questions are free of the budget and cost language-model calls. With a compact prompt,
which has no words for questions, one answer is shown unasked.
"""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from nasarena.agents.policies.policy import Move
from nasarena.search.settings import settings
from nasarena.search.trial import Proposal, Trial


@settings
class Instrumented:
    """Up to `queries` questions before each draft; `num_best` patterns in an answer to `best`."""

    queries: int = Field(
        3, ge=0, description="questions to the model of scores before a proposal, at most"
    )
    num_best: int = Field(
        3, ge=1, le=12, description="patterns that it names when it is asked for the best"
    )

    def next_move(
        self, trials: Sequence[Trial], pending: Sequence[Proposal], rng: np.random.Generator
    ) -> Move | None:
        """A draft."""
        return Move("draft")
