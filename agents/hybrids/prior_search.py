"""Classical search guided by what a language model believes about each position.

Every `refresh` trials the model writes `samples` patterns with the record in view, and the token
log-probabilities of the letters make a prior over patterns (`letter_prior.py`). Then no call is
needed until the next refresh: the cheapest way to use a model. The prior guides

- `agent-prior-evolution`: regularized evolution (Real et al. 2019) whose mutation doubts the
  letters that the prior does not like, and puts in those that it does;
- `agent-prior-bo`: Bayesian optimization in the manner of pi-BO (Hvarfner et al. 2022), where the
  expected improvement is multiplied by prior^(strength / n), which n scored trials wear off.

Only the model is blinded by a control; evolution and the surrogate know the true record.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from nasarena.agents.agent_searcher import LlmSearcher
from nasarena.agents.hybrids.letter_prior import (
    Array,
    letter_shares,
    log_prior,
    mean_prior,
    mutate,
    sample,
)
from nasarena.agents.hybrids.surrogate import fit
from nasarena.agents.policies.policy import Move
from nasarena.search.errors import InvalidSetting
from nasarena.search.incumbent import best_first
from nasarena.search.searcher import searcher
from nasarena.search.settings import ByBudget
from nasarena.search.space import PatternSpace
from nasarena.search.trial import LlmCost, Proposal, Trial

_ATTEMPTS = 50  # how often a duplicate is drawn again


class PriorSearcher(LlmSearcher):
    """Keeps the prior fresh and says what it cost; `choose` is left to the subclasses."""

    def __init__(
        self,
        space: PatternSpace,
        rng: np.random.Generator,
        llm: object = None,
        *,
        samples: Annotated[
            int, Field(ge=1, description="patterns that the model writes for a new prior")
        ] = 4,
        refresh: Annotated[int, Field(ge=1, description="trials that a prior is good for")] = 25,
        **options: Any,
    ) -> None:
        super().__init__(space, rng, llm, **options)
        if self.options.notation == "runs":
            raise InvalidSetting("a prior is read from letters: it needs notation=letters")
        self._samples, self._refresh = samples, refresh
        self._prior = mean_prior([], space)
        self._asked_at: int | None = None

    def ask(self, n: int) -> list[Proposal]:
        """One pattern, chosen with the prior; the model is consulted when the prior is stale."""
        index = len(self.trials)
        cost, details = LlmCost(), {}
        if self._asked_at is None or index - self._asked_at >= self._refresh:
            cost, num_read = self._renew(index)
            details["prior"] = f"read off {num_read} of {self._samples} replies"
        pattern, parents = self.choose(self._prior, self.stream("choose", index))
        return [Proposal(pattern, "classical", parents, details, cost if cost.calls else None)]

    def choose(self, prior: Array, rng: np.random.Generator) -> tuple[str, tuple[int, ...]]:
        """The next pattern and its parents."""
        raise NotImplementedError

    def _renew(self, index: int) -> tuple[LlmCost, int]:
        """Ask for the prior anew; unusable replies leave it nearer to uniform, and cost."""
        self._asked_at = index
        view = self.sight.build(self.sight.visible_trials(self.trials, index), Move("draft"))
        cost, shares = LlmCost(), []
        for variant in range(self._samples):
            answer = self.consultant.draft_with_logprobs(view, (index, variant))
            cost += answer.cost
            if answer.value is not None:
                read = letter_shares(answer.tokens, answer.value.pattern, view.space.alphabet)
                if read is not None:
                    shares.append(read)
        true_letters = self.sight.reveal(view.space.alphabet)
        columns = [true_letters.index(letter) for letter in self.space.alphabet]
        self._prior = mean_prior([one[:, columns] for one in shares], self.space)
        return cost, len(shares)


@searcher("agent-prior-evolution", uses_llm=True, max_parallel=1)
class PriorEvolution(PriorSearcher):
    """The last `population` scored trials are alive; the best of `tournament` of them is mutated.

    Until there are that many, patterns are drawn from the prior.
    """

    def __init__(
        self,
        space: PatternSpace,
        rng: np.random.Generator,
        llm: object = None,
        *,
        population: Annotated[int, Field(ge=1, description="last scored trials alive")] = ByBudget(
            1 / 9, least=8, most=50
        ),
        tournament: Annotated[
            Annotated[int, Field(ge=1)] | None,
            Field(
                description="of them drawn, the best of which is mutated; null: a third of "
                "population"
            ),
        ] = None,
        **options: Any,
    ) -> None:
        super().__init__(space, rng, llm, **options)
        self._population = population
        self._tournament = tournament or max(1, round(population / 3))

    def choose(self, prior: Array, rng: np.random.Generator) -> tuple[str, tuple[int, ...]]:
        """A mutant of a tournament's winner that was not tried before, if one can be found."""
        alive = [trial for trial in self.trials if trial.status == "ok"][-self._population :]
        tried = {trial.pattern for trial in self.trials}
        pattern, parents = "", tuple[int, ...]()
        for _ in range(_ATTEMPTS):
            if len(alive) < self._population:
                pattern, parents = sample(prior, self.space, 1, rng)[0], ()
            else:
                parent = self._winner(alive, rng)
                pattern = mutate(prior, self.space, parent.pattern, rng)
                parents = (parent.index,)
            if pattern not in tried:
                break
        return pattern, parents

    def _winner(self, alive: Sequence[Trial], rng: np.random.Generator) -> Trial:
        size = min(self._tournament, len(alive))
        places: list[int] = rng.permutation(len(alive))[:size].tolist()
        return max((alive[place] for place in places), key=lambda trial: trial.score or 0.0)


@searcher("agent-prior-bo", uses_llm=True, max_parallel=1)
class PriorBo(PriorSearcher):
    """The candidate of highest expected improvement x prior^(strength / n) among many.

    Candidates are `pool` draws from the prior, as many uniform ones, and all neighbours of the
    three best patterns.
    """

    def __init__(
        self,
        space: PatternSpace,
        rng: np.random.Generator,
        llm: object = None,
        *,
        strength: Annotated[
            float, Field(ge=0, description="how long the prior lasts, in scored trials")
        ] = 10.0,
        pool: Annotated[
            int, Field(ge=1, description="candidates from the prior, and as many uniform ones")
        ] = 200,
        **options: Any,
    ) -> None:
        super().__init__(space, rng, llm, **options)
        self._strength, self._pool = strength, pool

    def choose(self, prior: Array, rng: np.random.Generator) -> tuple[str, tuple[int, ...]]:
        """The best candidate; a draw from the prior until two scores are known."""
        surrogate = fit(self.space, self.trials)
        candidates = self._candidates(prior, rng)
        if surrogate is None or not candidates:
            return (candidates or sample(prior, self.space, 1, rng))[0], ()
        num_scored = sum(trial.status == "ok" for trial in self.trials)
        gain = surrogate.log_expected_improvement(candidates)
        belief = log_prior(prior, candidates, self.space)
        return candidates[int(np.argmax(gain + self._strength / num_scored * belief))], ()

    def _candidates(self, prior: Array, rng: np.random.Generator) -> list[str]:
        """Distinct patterns that were not tried, in a fixed order."""
        drawn = sample(prior, self.space, self._pool, rng)
        drawn += [self.space.sample(rng) for _ in range(self._pool)]
        for trial in best_first(self.trials)[:3]:
            drawn += self.space.neighbours(trial.pattern)
        tried = {trial.pattern for trial in self.trials}
        return [pattern for pattern in dict.fromkeys(drawn) if pattern not in tried]
