"""IID and sequential sampling: the two simple uses of a model that any scaffold should beat.

Both draft until the budget is spent. They differ only in memory: independent samples see no
history, sequential ones see the earlier trials (the searchers choose that memory, `searchers.py`).
"""

from collections.abc import Sequence

import numpy as np

from nasarena.agents.policies.policy import Move
from nasarena.search.settings import settings
from nasarena.search.trial import Proposal, Trial


@settings
class DraftForEver:
    """Every move is a draft."""

    def next_move(
        self, trials: Sequence[Trial], pending: Sequence[Proposal], rng: np.random.Generator
    ) -> Move | None:
        """A draft."""
        return Move("draft")
