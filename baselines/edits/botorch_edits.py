"""Bayesian optimization with BoTorch on edits: a Gaussian process with a kernel for numbers and one
for choices, and log expected improvement over what one change makes of good candidates.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasarena.baselines.botorch_gp import BotorchSearch
from nasarena.baselines.model_search import ModelSearch
from nasarena.baselines.options import NUM_STARTUP, NumStartup
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.searcher import searcher

if TYPE_CHECKING:
    from botorch.models import SingleTaskGP
    from torch import Tensor


@searcher("botorch", requires="botorch")
class BotorchEdits(BotorchSearch):
    """BoTorch's mixed Gaussian process; it begins with random candidates."""

    _space: Any

    def __init__(
        self, space: EditSpace, rng: np.random.Generator, num_startup: NumStartup = NUM_STARTUP
    ) -> None:
        choices = [place for place, edit in enumerate(space.edits) if not edit.is_ordered]
        ModelSearch.__init__(self, space, rng, num_startup, partial(_mixed_process, choices))

    def _letters(self, patterns: Sequence[str]) -> NDArray[np.float64]:
        """Shape `(len(patterns), edits)`: numbers in [0, 1], choices by their place."""
        rows = []
        for candidate in patterns:
            values = self._space.values(candidate)
            rows.append([
                edit.to_unit(values[edit.name]) if edit.is_ordered
                else float(edit.values.index(values[edit.name]))
                for edit in self._space.edits
            ])  # fmt: skip
        return np.array(rows, dtype=np.float64)


def _mixed_process(choices: list[int], inputs: "Tensor", scores: "Tensor") -> "SingleTaskGP":
    """The model over `(n, edits)` and standardized scores `(n, 1)`."""
    from botorch.models.gp_regression_mixed import MixedSingleTaskGP

    return MixedSingleTaskGP(inputs, scores, cat_dims=choices, outcome_transform=None)
