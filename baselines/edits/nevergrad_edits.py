"""Any optimizer of Nevergrad on edits: an integer, a real number or a choice for each edit.

Budget-aware, for NGOpt picks an optimizer by the number of trials. As on patterns, failed trials
are not told, and trials of others are told as foreign points. Rapin & Teytaud 2018.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from nasarena.baselines.private_random import private_random
from nasarena.search.candidates.edit import Edit
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.errors import InvalidSetting, nearest
from nasarena.search.searcher import searcher
from nasarena.search.trial import Trial


@searcher("nevergrad", requires="nevergrad", budget_aware=True)
class NevergradEdits:
    """An optimizer of Nevergrad by its name. Raises InvalidSetting for one that it lacks."""

    def __init__(
        self,
        space: EditSpace,
        rng: np.random.Generator,
        num_trials: int | None = None,
        optimizer: Annotated[
            str, Field(description="a name from the registry of Nevergrad")
        ] = "NGOpt",
    ) -> None:
        self._space, self._rng = space, rng
        self._waiting: dict[str, list[Any]] = {}
        with private_random(rng):
            import nevergrad as ng  # type: ignore[import-untyped]

            registry = ng.optimizers.registry
            if optimizer not in registry:
                raise InvalidSetting(
                    f"nevergrad has no optimizer {optimizer!r}; {nearest(optimizer, registry)}"
                )
            parameters = ng.p.Dict(**{edit.name: _parameter(edit) for edit in space.edits})
            seed = int(rng.integers(2**31))
            parameters.random_state = np.random.RandomState(seed)  # noqa: NPY002
            self._optimizer = registry[optimizer](parameters, budget=num_trials)

    def ask(self, n: int) -> list[str]:
        with private_random(self._rng):
            return [self._ask_one() for _ in range(n)]

    def tell(self, trials: Sequence[Trial]) -> None:
        with private_random(self._rng):
            for trial in trials:
                self._tell_one(trial)

    def _ask_one(self) -> str:
        point = self._optimizer.ask()
        candidate = self._space.repair(
            {edit.name: _text(edit, point.value[edit.name]) for edit in self._space.edits}
        )
        self._waiting.setdefault(candidate, []).append(point)
        return candidate

    def _tell_one(self, trial: Trial) -> None:
        waiting = self._waiting.get(trial.pattern)
        point = waiting.pop(0) if waiting else None
        if trial.score is None:
            return
        if point is None:
            values = self._space.values(trial.pattern)
            value = {edit.name: _value(edit, values[edit.name]) for edit in self._space.edits}
            point = self._optimizer.parametrization.spawn_child(new_value=value)
        self._optimizer.tell(point, -trial.score)


def _parameter(edit: Edit) -> Any:
    import nevergrad as ng

    if not edit.is_ordered:
        return ng.p.Choice(list(edit.values))
    start = float(edit.default)
    if edit.kind == "log":
        return ng.p.Log(init=start, lower=edit.low, upper=edit.high)
    number = ng.p.Scalar(init=start, lower=edit.low, upper=edit.high)
    return number.set_integer_casting() if edit.kind == "int" else number


def _value(edit: Edit, text: str) -> Any:
    if edit.kind == "int":
        return int(text)
    return float(text) if edit.is_ordered else text


def _text(edit: Edit, value: Any) -> str:
    """A value as the edit writes it; a bound may be missed by rounding."""
    if not edit.is_ordered:
        return str(value)
    number = min(max(float(value), edit.low), edit.high)
    return str(round(number)) if edit.kind == "int" else edit.parse(f"{number:.12g}")
