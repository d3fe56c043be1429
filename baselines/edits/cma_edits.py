"""CMA-ES on edits: each is a number in [0, 1], a choice the part of it in which the number falls.

It begins at the script as it is. A generation is told when all of it has been tried; a failed
candidate counts as its worst, which is all that ranks need. Hansen & Ostermeier 2001, `pycma`.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nasarena.baselines.private_random import private_random
from nasarena.search.candidates.edit_space import DEFAULT, EditSpace
from nasarena.search.searcher import searcher
from nasarena.search.trial import Trial

Floats = NDArray[np.float64]


@searcher("cma-es", requires="cma")
class CmaEdits:
    """Asks generation by generation; what was not asked here is not told."""

    def __init__(
        self,
        space: EditSpace,
        rng: np.random.Generator,
        population: Annotated[int, Field(ge=2, description="candidates of a generation")] = 6,
        sigma: Annotated[
            float, Field(gt=0, le=1, description="first standard deviation on [0, 1]")
        ] = 0.2,
    ) -> None:
        self._space, self._rng = space, rng
        values = space.values(DEFAULT)
        start = [edit.to_unit(values[edit.name]) for edit in space.edits]
        options = {
            "popsize": population, "bounds": [0, 1], "verbose": -9,
            "seed": 1 + int(rng.integers(2**31 - 1)), "verb_log": 0,
        }  # fmt: skip
        with private_random(rng):
            import cma  # type: ignore[import-untyped]

            self._evolution: Any = cma.CMAEvolutionStrategy(start, sigma, options)
        self._to_ask: list[Floats] = []
        self._asked: list[tuple[str, Floats]] = []
        self._tried: list[tuple[Floats, float | None]] = []

    def ask(self, n: int) -> list[str]:
        if not self._to_ask and not self._asked:
            with private_random(self._rng):
                self._to_ask = list(self._evolution.ask())
        batch, self._to_ask = self._to_ask[:n], self._to_ask[n:]
        candidates = [self._candidate(point) for point in batch]
        self._asked += zip(candidates, batch, strict=True)
        return candidates

    def tell(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            places = [i for i, (one, _) in enumerate(self._asked) if one == trial.pattern]
            if places:
                self._tried.append((self._asked.pop(places[0])[1], trial.score))
        if self._tried and not self._asked and not self._to_ask:
            self._end_generation()

    def _end_generation(self) -> None:
        tried, self._tried = self._tried, []
        losses = [-score for _, score in tried if score is not None]
        if losses:
            worst = max(losses)
            with private_random(self._rng):
                self._evolution.tell(
                    [point for point, _ in tried],
                    [worst if score is None else -score for _, score in tried],
                )

    def _candidate(self, point: Floats) -> str:
        edits = self._space.edits
        units = zip(edits, point.tolist(), strict=True)
        return self._space.repair({edit.name: edit.from_unit(unit) for edit, unit in units})
