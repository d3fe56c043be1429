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


@searcher("nevergrad", requires="nevergrad", budget_aware=True)
class Nevergrad:
    """Any optimizer of Nevergrad; by default each letter is one ordered variable.

    Failed trials are not told: Nevergrad has no state for them, and a made-up loss would bend its
    model. Trials it did not ask for (the initial design) are told as foreign points. Raises
    InvalidSetting for an unknown encoding.
    """

    encoding: Encoding = "transition"

    def __init__(
        self,
        space: PatternSpace,
        rng: np.random.Generator,
        num_trials: int | None = None,
        optimizer: Annotated[
            str, Field(description="a name from the registry of Nevergrad")
        ] = "NGOpt",
        encoding: Annotated[
            Encoding | None,
            Field(description="transition or choice; null: what its name says, or transition"),
        ] = None,
    ) -> None:
        self._space, self._rng = space, rng
        self._waiting: dict[str, list[Any]] = {}
        with private_random(rng):
            self._optimizer = _make_optimizer(
                space, rng, num_trials, optimizer, encoding or self.encoding
            )

    def ask(self, n: int) -> list[str]:
        with private_random(self._rng):
            return [self._ask_one() for _ in range(n)]

    def tell(self, trials: Sequence[Trial]) -> None:
        with private_random(self._rng):
            for trial in trials:
                self._tell_one(trial)

    def _ask_one(self) -> str:
        candidate = self._optimizer.ask()
        pattern = "".join(candidate.value)
        self._waiting.setdefault(pattern, []).append(candidate)
        return pattern

    def _tell_one(self, trial: Trial) -> None:
        waiting = self._waiting.get(trial.pattern)
        candidate = waiting.pop(0) if waiting else None
        if trial.score is None:
            return
        if candidate is None:
            value = tuple(trial.pattern)
            candidate = self._optimizer.parametrization.spawn_child(new_value=value)
        self._optimizer.tell(candidate, -trial.score)


def _make_optimizer(
    space: PatternSpace,
    rng: np.random.Generator,
    num_trials: int | None,
    optimizer: str,
    encoding: str,
) -> Any:
    """A fresh optimizer of Nevergrad. Raises InvalidSetting for a name that it does not have."""
    import nevergrad as ng  # type: ignore[import-untyped]

    registry = ng.optimizers.registry
    if optimizer not in registry:
        near = get_close_matches(optimizer, registry, n=3)
        raise InvalidSetting(
            f"nevergrad has no optimizer {optimizer!r}; near it are {', '.join(near) or 'none'}"
        )
    make = ng.p.TransitionChoice if encoding == "transition" else ng.p.Choice
    parameters = make(list(space.alphabet), repetitions=space.depth)
    parameters.random_state = np.random.RandomState(int(rng.integers(2**31)))  # noqa: NPY002
    return registry[optimizer](parameters, budget=num_trials)


@searcher("nevergrad-choice", requires="nevergrad", budget_aware=True)
class NevergradChoice(Nevergrad):
    """Any optimizer of Nevergrad in its obvious encoding."""

    encoding: Encoding = "choice"
