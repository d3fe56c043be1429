"""Any optimizer of Nevergrad on edits: an integer, a real number or a choice for each edit.

Budget-aware, for NGOpt picks an optimizer by the number of trials. Rapin & Teytaud 2018.
"""

from typing import Any

import numpy as np

from nasarena.baselines.libraries.nevergrad_search import NevergradSearch, OptimizerName
from nasarena.search.candidates.edit import Edit
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.searcher import searcher


@searcher("nevergrad", requires="nevergrad", budget_aware=True)
class NevergradEdits(NevergradSearch):
    """An optimizer of Nevergrad by its name. Raises InvalidSetting for one that it lacks."""

    _space: EditSpace

    def __init__(
        self,
        space: EditSpace,
        rng: np.random.Generator,
        num_trials: int | None = None,
        optimizer: OptimizerName = "NGOpt",
    ) -> None:
        super().__init__(space, rng, num_trials, optimizer)

    def parametrization(self) -> Any:
        """A parameter for each edit."""
        import nevergrad as ng  # type: ignore[import-untyped]

        return ng.p.Dict(**{edit.name: _parameter(edit) for edit in self._space.edits})

    def spell(self, value: Any) -> str:
        """The candidate of these parameters."""
        return self._space.repair(
            {edit.name: edit.spell(value[edit.name]) for edit in self._space.edits}
        )

    def value_of(self, candidate: str) -> Any:
        """The parameters of a candidate."""
        values = self._space.values(candidate)
        return {edit.name: edit.read(values[edit.name]) for edit in self._space.edits}


def _parameter(edit: Edit) -> Any:
    import nevergrad as ng

    if not edit.is_ordered:
        return ng.p.Choice(list(edit.values))
    start = float(edit.default)
    if edit.kind == "log":
        return ng.p.Log(init=start, lower=edit.low, upper=edit.high)
    number = ng.p.Scalar(init=start, lower=edit.low, upper=edit.high)
    return number.set_integer_casting() if edit.kind == "int" else number
