"""A proposal on its way to a trial: checked, quoted and reserved, then evaluated or free."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nasarena.search.budget import Quote, Reservation
from nasarena.search.journal import describe_pattern
from nasarena.search.trial import Outcome, Proposal, Status, Trial


@dataclass(frozen=True, slots=True)
class Entry:
    """One proposal of a batch, and what the loop decided about it before anything is evaluated.

    `recorded` is its trial, where the record reaches so far. Without a reservation the trial is
    free: a duplicate by its quote, or invalid, for the reason in `note`.
    """

    index: int
    proposal: Proposal
    recorded: Trial | None
    quote: Quote = Quote("", 1.0)
    reservation: Reservation | None = None
    note: str = ""
    text_limit: int = 200

    def evaluation(self, outcome: Outcome) -> Trial:
        """The trial of a proposal that was evaluated."""
        return replace(
            self._free_trial("ok"),
            status=outcome.status,
            score=outcome.score,
            metrics=dict(outcome.metrics),
            cost=outcome.cost - self.quote.paid,
            replicate=self.quote.replicate,
            note=outcome.note,
        )

    def duplicate(self, evaluated: Sequence[Trial]) -> Trial:
        """Answered by the evaluation that is nearest of those at this fidelity or above."""
        enough = [trial for trial in evaluated if trial.fidelity >= self.proposal.fidelity]
        first = min(enough, key=lambda trial: trial.fidelity)
        return replace(
            self._free_trial("duplicate"),
            score=first.score,
            metrics=first.metrics,
            duplicate_of=first.index,
            note=first.note,
            fidelity=first.fidelity,
        )

    def invalid(self) -> Trial:
        """No candidate of the space; its text, or what it was, is kept up to `text_limit`."""
        pattern = describe_pattern(self.proposal.pattern, self.text_limit)
        return replace(self._free_trial("invalid"), pattern=pattern, note=self.note, fidelity=1.0)

    def _free_trial(self, status: Status) -> Trial:
        proposal = self.proposal
        return Trial(
            self.index,
            proposal.pattern,
            status,
            provenance=proposal.provenance,
            parents=proposal.parents,
            details=dict(proposal.details),
            llm=proposal.llm,
            fidelity=proposal.fidelity,
        )
