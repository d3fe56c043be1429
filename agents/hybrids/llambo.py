"""LLAMBO for patterns (Liu et al. 2024): the model samples candidates for a wished score.

    wish = best + eagerness (best - worst)

Each ask draws `num_candidates` patterns from the model, which is shown the scored trials and told
what score to aim at; a Gaussian process on the same trials picks the one of highest expected
improvement. So the model narrows 43 million patterns down to a few, and plain statistics, which it
is bad at, does the rest. With `prompt=compact` the wish cannot be said, only the sampling is left.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from nasarena.agents.agent_searcher import LlmSearcher
from nasarena.agents.hybrids.surrogate import fit
from nasarena.agents.policies.policy import Move
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import LlmCost, Proposal, Trial


@searcher("agent-llambo", uses_llm=True, max_parallel=1)
class Llambo(LlmSearcher):
    """The best of `num_candidates` samples that aim `eagerness` beyond the best so far."""

    defaults = {"memory_trials": 40, "memory_tokens": 3000}

    def __init__(
        self,
        space: PatternSpace,
        rng: np.random.Generator,
        llm: object = None,
        *,
        num_candidates: Annotated[
            int, Field(ge=1, description="samples, the best of which is proposed")
        ] = 5,
        eagerness: Annotated[
            float,
            Field(description="how far beyond the best so far to aim, as a share of the range"),
        ] = 0.1,
        **options: Any,
    ) -> None:
        super().__init__(space, rng, llm, **options)
        self._num_candidates, self._eagerness = num_candidates, eagerness

    def ask(self, n: int) -> list[Proposal]:
        """One proposal, at the cost of `num_candidates` calls."""
        known = self.sight.visible_trials(self.trials, len(self.trials))
        wish = target_score(known, self._eagerness)
        move = Move("draft" if wish is None else "wish")
        candidates = [
            self.consult(move, known, (), wish, variant) for variant in range(self._num_candidates)
        ]
        total = sum((one.llm or LlmCost() for one in candidates), LlmCost())
        chosen = self._choose(candidates)
        usable = sum(one.pattern in self.space for one in candidates)
        details = {
            **chosen.details,
            "considered": f"{usable} of {len(candidates)} candidates were usable",
        }
        if "lesson" in candidates[0].details:
            details["lesson"] = candidates[0].details["lesson"]
        return [replace(chosen, llm=total, details=details)]

    def _choose(self, candidates: Sequence[Proposal]) -> Proposal:
        """New ones before duplicates before unusable ones; among new ones the surrogate's pick."""
        tried = {trial.pattern for trial in self.trials}
        usable = [one for one in candidates if one.pattern in self.space]
        new = [one for one in usable if one.pattern not in tried]
        surrogate = fit(self.space, self.trials)
        if not new or surrogate is None:
            return (new or usable or candidates)[0]
        gains = surrogate.log_expected_improvement([one.pattern for one in new])
        return new[int(np.argmax(gains))]


def target_score(trials: Sequence[Trial], eagerness: float) -> float | None:
    """A score somewhat beyond the best; None before there are two scores to go by."""
    scores = [trial.score for trial in trials if trial.status == "ok" and trial.score is not None]
    if len(scores) < 2:
        return None
    return max(scores) + eagerness * (max(scores) - min(scores))
