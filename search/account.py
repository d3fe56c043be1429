"""What a run may spend and what it has paid for: a quote for each proposal, then a reservation.

A quote costs nothing and changes nothing. Reserving it sets its price aside and notes the training
as paid for, so that the same pattern asked again in the same batch is a duplicate already.
"""

from dataclasses import dataclass, field
from typing import Literal

from nasarena.search.budget import Budget, Ledger, Reservation
from nasarena.search.fidelity import Payments, cost_at
from nasarena.search.proxy import Proxy
from nasarena.search.trial import Cost

Duplicates = Literal["reuse", "retrain"]


@dataclass(frozen=True, slots=True)
class Quote:
    """What one training would take.

    `cost` is the increment beyond `paid`, which the run has been charged for this replicate at
    lower fidelity; `share` is the part of a full training that it stands for. A duplicate has been
    paid for already and takes nothing.
    """

    pattern: str
    fidelity: float
    replicate: int = 0
    cost: Cost = field(default_factory=Cost)
    paid: Cost = field(default_factory=Cost)
    share: float = 0
    is_duplicate: bool = False


class Account:
    """The ledger of one run, and the trainings that were paid from it."""

    def __init__(self, proxy: Proxy, budget: Budget, duplicates: Duplicates) -> None:
        self.ledger = Ledger(budget)
        self._proxy, self._duplicates = proxy, duplicates
        self._payments = Payments()

    def quote(self, pattern: str, fidelity: float) -> Quote:
        """What a training of this valid pattern up to `fidelity` takes now.

        Raises InvalidSetting for a partial training where the proxy has only full ones.
        """
        if self._duplicates == "reuse" and self._payments.covers(pattern, fidelity):
            return Quote(pattern, fidelity, is_duplicate=True)
        replicate, reached = self._payments.next(pattern, fidelity)
        paid = cost_at(self._proxy, pattern, reached) if reached else Cost()
        cost = cost_at(self._proxy, pattern, fidelity) - paid
        share = 1 if fidelity == 1 and not reached else fidelity - reached
        return Quote(pattern, fidelity, replicate, cost, paid, share)

    def reserve(self, quote: Quote) -> Reservation:
        """Set the quoted cost aside; BudgetSpent, and nothing noted, if that is not left."""
        reservation = self.ledger.reserve(quote.cost, quote.share)
        self._payments.pay(quote.pattern, quote.replicate, quote.fidelity)
        return reservation
