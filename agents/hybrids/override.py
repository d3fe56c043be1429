"""A classical searcher whose turn a language model takes now and then.

On a share of the trials the model proposes, on the others the inner searcher. The inner one is told
every trial, so its model of the scores has all the data: points that it did not ask for are told
as foreign, exactly as the initial design is, and never as answers to its own questions. For a
searcher written as a generator that means: foreign trials enter its `history`, and the value of
each `yield` is the trial of the very pattern it yielded. For a library that keeps its own points it
means: added observations. A searcher that looks at `provenance` can tell them apart.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from nasarena.agents.agent_searcher import LlmSearcher
from nasarena.agents.policies.policy import Move
from nasarena.search.errors import InvalidSetting
from nasarena.search.searcher import Searcher, searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Proposal, Trial


@searcher("agent-override", uses_llm=True, max_parallel=1)
class Override(LlmSearcher):
    """The model proposes with probability `share`, the inner searcher otherwise."""

    def __init__(
        self,
        space: PatternSpace,
        rng: np.random.Generator,
        llm: object = None,
        *,
        inner: Annotated[
            Any,
            Field(
                description="the classical searcher, or {name:evolution,options:{population:20}}"
            ),
        ] = "evolution",
        share: Annotated[
            float, Field(ge=0, le=1, description="chance of the model to propose")
        ] = 0.3,
        **options: Any,
    ) -> None:
        # experiments supplies what builds it, since agents know no baseline.
        if not callable(inner):
            raise InvalidSetting(
                f"agent-override needs a classical searcher to work with, such as "
                f"inner=evolution, got {inner!r}"
            )
        super().__init__(space, rng, llm, **options)
        self._share = share
        self._inner: Searcher = inner(space, self.stream("inner"))
        self._untold: list[Trial] = []
        self._inner_index: int | None = None  # the trial that the inner searcher waits for

    def tell(self, trials: Sequence[Trial]) -> None:
        """Remember the trials; the inner searcher is told before it is asked again."""
        super().tell(trials)
        self._untold.extend(trials)

    def ask(self, n: int) -> list[Proposal]:
        """One proposal, of the model's or of the inner searcher's."""
        index = len(self.trials)
        if self.stream("turn", index).random() < self._share:
            known = self.sight.visible_trials(self.trials, index)
            return [self.consult(Move("draft"), known, ())]
        self._tell_inner()
        asked = self._inner.ask(1)
        self._inner_index = index if asked else None
        return [_classical(item) for item in asked]

    def _tell_inner(self) -> None:
        """Foreign trials first, its own last: that one answers what it asked."""
        own = [trial for trial in self._untold if trial.index == self._inner_index]
        foreign = [trial for trial in self._untold if trial.index != self._inner_index]
        self._untold.clear()
        if foreign or own:
            self._inner.tell([*foreign, *own])


def _classical(item: str | Proposal) -> Proposal:
    proposal = item if isinstance(item, Proposal) else Proposal(item)
    return replace(proposal, provenance="classical")
