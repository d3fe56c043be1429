"""Budget, ledger, account: one unit, one amount, and a refusal of what does not fit.

A trial is quoted, reserved before it starts and settled after it ends. A quote changes nothing;
reserving it sets its price aside and notes the training as paid for, so that the same pattern asked
again in the same batch is a duplicate already. `reserve` raises for the first trial that does not
fit into what is left, so a run can never overspend, not even by one trial. FLOPs and tokens are
counted in exact integers; seconds and shares of trainings to the rounding of their sums.
"""

from dataclasses import dataclass, field
from typing import Literal, get_args

from nasarena.search.candidates.protocol import identity
from nasarena.search.errors import BudgetSpent, InvalidSetting, ProxyFailed
from nasarena.search.fidelity import Payments, cost_at
from nasarena.search.proxy import Proxy
from nasarena.search.trial import Cost, LlmCost

Unit = Literal["flops", "device_seconds", "tokens", "trials"]
UNITS: tuple[Unit, ...] = get_args(Unit)
Duplicates = Literal["reuse", "retrain"]

# Sums of seconds carry rounding; a trial may not be refused for the last bit of a double.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Budget:
    """`amount` of one `unit`; with `charge_llm`, LLM FLOPs or seconds are paid from it too."""

    unit: Unit
    amount: float
    charge_llm: bool = False

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise InvalidSetting(f"budget.unit must be one of {', '.join(UNITS)}, got {self.unit}")
        if not 0 < self.amount < float("inf"):
            raise InvalidSetting(f"budget.amount must be positive and finite, got {self.amount}")
        if self.charge_llm and self.unit not in ("flops", "device_seconds"):
            raise InvalidSetting(
                f"budget.charge_llm needs budget.unit=flops or device_seconds, got {self.unit}"
            )

    def price(self, cost: Cost, share: float = 1) -> float:
        """What a trial of this cost takes from the budget, in its unit.

        `share` of a training counts as that share of a trial.
        """
        if self.unit == "trials":
            return share
        if self.unit == "flops":
            return cost.flops
        return cost.tokens if self.unit == "tokens" else cost.device_seconds

    def llm_price(self, llm: LlmCost) -> float:
        """What LLM calls take from the budget: 0 unless `charge_llm`."""
        if not self.charge_llm:
            return 0
        return llm.flops if self.unit == "flops" else llm.seconds


@dataclass(frozen=True, slots=True)
class Reservation:
    """An amount set aside for one trial, to be given to `Ledger.settle` once."""

    number: int
    amount: float
    share: float = 1


class Ledger:
    """What one run has, has set aside and has spent."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.spent: float = 0
        self.llm = LlmCost()
        self.cost = Cost()
        self._reserved: dict[int, float] = {}
        self._next_number = 0

    @property
    def remaining(self) -> float:
        """What is neither spent nor reserved, in the budget's unit; never below 0."""
        return max(0, self.budget.amount - self.spent - sum(self._reserved.values()))

    def reserve(self, cost: Cost, share: float = 1) -> Reservation:
        """Set aside what a trial of `cost` takes.

        `share` is how much of a full training is paid for. Raises BudgetSpent if less is left,
        ProxyFailed for a cost that is none.
        """
        price = self._price(cost, share)
        if price > self._at_most(self.remaining):
            raise BudgetSpent(
                f"the next trial takes {price:.6g} {self.budget.unit}, "
                f"{self.remaining:.6g} of {self.budget.amount:.6g} are left"
            )
        reservation = Reservation(self._next_number, price, share)
        self._reserved[reservation.number] = price
        self._next_number += 1
        return reservation

    def settle(self, reservation: Reservation, cost: Cost) -> None:
        """Charge what the trial cost and release its reservation.

        Raises ValueError for a reservation that is not open, or a cost above what was reserved:
        both are faults of the harness or of the proxy's cost model, never of a searcher.
        """
        if reservation.number not in self._reserved:
            raise ValueError(f"{reservation} is not open")
        price = self._price(cost, reservation.share)
        if price > self._at_most(reservation.amount):
            raise ValueError(f"a trial cost {price}, more than the reserved {reservation.amount}")
        del self._reserved[reservation.number]
        self.spent += price
        self.cost += cost

    def _at_most(self, amount: float) -> float:
        """What counts as no more than `amount`: integers exactly, sums of doubles nearly."""
        is_exact = self.budget.unit in ("flops", "tokens")
        return amount if is_exact else amount * (1 + _ROUNDING)

    def _price(self, cost: Cost, share: float) -> float:
        """Raises ProxyFailed for a price that would refund, or never be spent."""
        price = self.budget.price(cost, share)
        if not 0 <= price < float("inf"):
            raise ProxyFailed(
                f"the proxy must say a cost of 0 or more {self.budget.unit}, got {price}"
            )
        return price

    def charge_llm(self, llm: LlmCost) -> None:
        """Note LLM use on its own axis and, if the budget says so, pay for it."""
        self.llm += llm
        self.spent += self.budget.llm_price(llm)


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
        name = identity(self._proxy.space, pattern)
        if self._duplicates == "reuse" and self._payments.covers(name, fidelity):
            return Quote(pattern, fidelity, is_duplicate=True)
        replicate, reached = self._payments.next(name, fidelity)
        paid = cost_at(self._proxy, pattern, reached) if reached else Cost()
        cost = cost_at(self._proxy, pattern, fidelity) - paid
        share = 1 if fidelity == 1 and not reached else fidelity - reached
        return Quote(pattern, fidelity, replicate, cost, paid, share)

    def reserve(self, quote: Quote) -> Reservation:
        """Set the quoted cost aside; BudgetSpent, and nothing noted, if that is not left."""
        reservation = self.ledger.reserve(quote.cost, quote.share)
        name = identity(self._proxy.space, quote.pattern)
        self._payments.pay(name, quote.replicate, quote.fidelity)
        return reservation
