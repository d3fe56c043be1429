"""Any optimizer of Nevergrad by its name, with the encoding of patterns as an option.

The encoding can decide the winner: Nevergrad's obvious `Choice` samples a letter from three
weights, `TransitionChoice` gives each letter one ordered variable. The default is the better one,
`nevergrad-choice` is the other under its own name; experiments/measure/separation.py shows both.
Rapin & Teytaud 2018; NGOpt picks an optimizer from depth, budget and parallelism, so it is told
the number of trials and is budget-aware.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from nasarena.baselines.private_random import private_random
from nasarena.search.errors import InvalidSetting
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

Encoding = Literal["transition", "choice"]
OptimizerName = Annotated[str, Field(description="a name from the registry of Nevergrad")]


class NevergradSearch:
    """Shared by the searchers of patterns and of edits; not a searcher by itself.

    Failed trials are not told: Nevergrad has no state for them, and a made-up loss would bend its
    model. Trials it did not ask for (the initial design) are told as foreign points. Raises
    InvalidSetting for an optimizer that Nevergrad lacks.
    """

    def __init__(
        self, space: Any, rng: np.random.Generator, num_trials: int | None, optimizer: str
    ) -> None:
        self._space, self._rng = space, rng
        self._waiting: dict[str, list[Any]] = {}
        with private_random(rng):
            import nevergrad as ng  # type: ignore[import-untyped]

            registry = ng.optimizers.registry
            if optimizer not in registry:
                near = get_close_matches(optimizer, registry, n=3)
                raise InvalidSetting(
                    f"nevergrad has no optimizer {optimizer!r}; near it are "
                    f"{', '.join(near) or 'none'}"
                )
            parameters = self.parametrization()
            seed = int(rng.integers(2**31))
            parameters.random_state = np.random.RandomState(seed)  # noqa: NPY002
            self._optimizer = registry[optimizer](parameters, budget=num_trials)

    def parametrization(self) -> Any:
        """What Nevergrad is to search."""
        raise NotImplementedError

    def spell(self, value: Any) -> str:
        """The candidate of a value of the parametrization."""
        raise NotImplementedError

    def value_of(self, candidate: str) -> Any:
        """The value of a candidate that was not asked here."""
        raise NotImplementedError

    def ask(self, n: int) -> list[str]:
        with private_random(self._rng):
            return [self._ask_one() for _ in range(n)]

    def tell(self, trials: Sequence[Trial]) -> None:
        with private_random(self._rng):
            for trial in trials:
                self._tell_one(trial)

    def _ask_one(self) -> str:
        point = self._optimizer.ask()
        candidate = self.spell(point.value)
        self._waiting.setdefault(candidate, []).append(point)
        return candidate

    def _tell_one(self, trial: Trial) -> None:
        waiting = self._waiting.get(trial.pattern)
        point = waiting.pop(0) if waiting else None
        if trial.score is None:
            return
        if point is None:
            value = self.value_of(trial.pattern)
            point = self._optimizer.parametrization.spawn_child(new_value=value)
        self._optimizer.tell(point, -trial.score)


@searcher("nevergrad", requires="nevergrad", budget_aware=True)
class Nevergrad(NevergradSearch):
    """Any optimizer of Nevergrad; by default each letter is one ordered variable.

    Raises InvalidSetting for an unknown encoding.
    """

    encoding: Encoding = "transition"

    def __init__(
        self,
        space: PatternSpace,
        rng: np.random.Generator,
        num_trials: int | None = None,
        optimizer: OptimizerName = "NGOpt",
        encoding: Annotated[
            Encoding | None,
            Field(description="transition or choice; null: what its name says, or transition"),
        ] = None,
    ) -> None:
        self.encoding = encoding or self.encoding
        super().__init__(space, rng, num_trials, optimizer)

    def parametrization(self) -> Any:
        """A letter for each layer."""
        import nevergrad as ng

        make = ng.p.TransitionChoice if self.encoding == "transition" else ng.p.Choice
        return make(list(self._space.alphabet), repetitions=self._space.depth)

    def spell(self, value: Any) -> str:
        """The pattern of these letters."""
        return "".join(value)

    def value_of(self, candidate: str) -> Any:
        """Its letters."""
        return tuple(candidate)


@searcher("nevergrad-choice", requires="nevergrad", budget_aware=True)
class NevergradChoice(Nevergrad):
    """Any optimizer of Nevergrad in its obvious encoding."""

    encoding: Encoding = "choice"
