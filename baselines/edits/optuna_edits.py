"""Optuna's samplers on edits: an integer, a real number or a choice for each edit.

Every edit has a value in every trial; those that mean nothing beside the others are dropped from
the candidate, and the sampler keeps what it drew.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nasarena.baselines.libraries.optuna_study import OptunaSearch, gp_sampler, tpe_sampler
from nasarena.baselines.options import NUM_STARTUP, Multivariate, NumStartup
from nasarena.search.candidates.edit import Edit
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.searcher import searcher

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


class OptunaEdits(OptunaSearch):
    """Shared by the samplers; not a searcher by itself."""

    _space: EditSpace

    def dimensions(self) -> "dict[str, BaseDistribution]":
        """A distribution for each edit."""
        return {edit.name: _distribution(edit) for edit in self._space.edits}

    def spell(self, params: Mapping[str, Any]) -> str:
        """The candidate of the sampled values."""
        return self._space.repair(
            {name: self._space.edit(name).spell(value) for name, value in params.items()}
        )

    def params_of(self, candidate: str) -> dict[str, Any]:
        """The values of a candidate that was not asked here."""
        values = self._space.values(candidate)
        return {edit.name: edit.read(values[edit.name]) for edit in self._space.edits}


@searcher("tpe", requires="optuna")
class TpeEdits(OptunaEdits):
    """Optuna's tree-structured Parzen estimator on edits."""

    def __init__(
        self,
        space: EditSpace,
        rng: np.random.Generator,
        num_startup: NumStartup = NUM_STARTUP,
        multivariate: Multivariate = None,
    ) -> None:
        super().__init__(space, tpe_sampler(rng, num_startup, multivariate))


@searcher("gp-optuna", requires="optuna")
class GaussianProcessEdits(OptunaEdits):
    """Optuna's Gaussian process on edits."""

    def __init__(
        self, space: EditSpace, rng: np.random.Generator, num_startup: NumStartup = NUM_STARTUP
    ) -> None:
        super().__init__(space, gp_sampler(rng, num_startup))


def _distribution(edit: Edit) -> "BaseDistribution":
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if edit.kind == "int":
        return IntDistribution(int(edit.low), int(edit.high))
    if edit.is_ordered:
        return FloatDistribution(edit.low, edit.high, log=edit.kind == "log")
    return CategoricalDistribution(list(edit.values))
