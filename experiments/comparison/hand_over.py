"""A run of two searchers on one record: the first for a share of the budget, then the other.

    nasarena run searcher=agent-sequential then=evolution then.share=0.25
    nasarena compare searchers=[random,{name:agent-sequential,then:evolution}]

The budget is that of everybody else, so the two share it: the second takes over at the first ask at
which that share has been spent, the initial design counted, or earlier where the first stops
asking. It is told all trials in full before its first ask, exactly as an initial design is told.
For the loop both are one searcher, and what is asked follows from options, seeds and the trials
told: resuming and replaying need nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from nasarena.search.budget import Budget
from nasarena.search.searcher import Searcher
from nasarena.search.trial import LlmCost, Proposal, Trial

BY = "by"  # the detail of a trial that says which of the two asked it


@dataclass(frozen=True, slots=True)
class Part:
    """One of the two; `max_parallel` bounds how many patterns one of its asks may be for."""

    name: str
    searcher: Searcher
    max_parallel: int | None = None

    def ask(self, n: int) -> Any:
        """Its answer to an ask for at most `n`, signed; what is no list goes through as it is."""
        answer = self.searcher.ask(min(n, self.max_parallel or n))
        if isinstance(answer, str) or not isinstance(answer, Sequence):
            return answer
        return [self._sign(item) for item in answer]

    def _sign(self, item: Any) -> Proposal:
        proposal = item if isinstance(item, Proposal) else Proposal(item)
        return replace(proposal, details={**proposal.details, BY: self.name})


class HandOver:
    """Two searchers one after the other; implements `nasarena.search.searcher.Searcher`.

    `amount` is how much of the `budget`, in its unit, the first may spend before it is asked no
    more; its last trial, or batch, may reach beyond.
    """

    def __init__(self, first: Part, then: Part, budget: Budget, amount: float) -> None:
        self._now, self._then = first, then
        self._meter, self._amount = _Meter(budget), amount
        self._trials: list[Trial] = []

    def ask(self, n: int) -> Any:
        """What the one whose turn it is asks."""
        if self._now is not self._then:
            answer = self._now.ask(n) if self._meter.spent < self._amount else []
            if not isinstance(answer, list) or answer:
                return answer
            self._hand_over()
        return self._now.ask(n)

    def tell(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            self._meter.add(trial)
        self._trials.extend(trials)
        self._now.searcher.tell(trials)

    @property
    def recommend(self) -> Any:
        """That of the one whose turn it is; None where it recommends nothing."""
        return getattr(self._now.searcher, "recommend", None)

    def _hand_over(self) -> None:
        """A score after a part of the training compares with no full one, so it is not told."""
        self._now = self._then
        if known := [trial for trial in self._trials if not trial.is_partial]:
            self._now.searcher.tell(known)


class _Meter:
    """What trials took from a budget, in its unit, as the ledger of the loop has it."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._reached: dict[tuple[str, int], float] = {}
        self.spent = 0.0

    def add(self, trial: Trial) -> None:
        """One more trial; a duplicate and an invalid proposal are free but for their calls."""
        self.spent += self._budget.llm_price(trial.llm or LlmCost())
        if trial.status not in ("ok", "failed"):
            return
        training = trial.pattern, trial.replicate
        share = trial.fidelity - self._reached.get(training, 0.0)
        self._reached[training] = trial.fidelity
        self.spent += self._budget.price(trial.cost, share)


class RecordedAsks:
    """Asks what a finished run asked, in its order, and then stops."""

    def __init__(self, proposals: Sequence[Proposal]) -> None:
        self._left = list(proposals)

    def ask(self, n: int) -> list[Proposal]:
        batch, self._left = self._left[:n], self._left[n:]
        return batch

    def tell(self, trials: Sequence[Trial]) -> None: ...


def to_json(proposal: Proposal) -> Mapping[str, Any]:
    """A recorded proposal as plain values, for the configuration of the run that asks it again."""
    plain = asdict(proposal)
    return plain | {"parents": list(proposal.parents)}
