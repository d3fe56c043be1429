"""The ledger: never overspends, not by a single trial, in any unit and any order."""

import numpy as np
import pytest

from nasarena.proxies.landscapes import additive
from nasarena.search.budget import UNITS, Account, Budget, Ledger, Unit
from nasarena.search.errors import BudgetSpent, InvalidSetting, ProxyFailed
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, LlmCost


def test_exactly_as_many_trials_as_the_budget_pays_for() -> None:
    ledger = Ledger(Budget("trials", 3))
    for _ in range(3):
        ledger.settle(ledger.reserve(Cost(flops=10)), Cost(flops=10))
    with pytest.raises(BudgetSpent, match="takes 1 trials, 0 of 3 are left"):
        ledger.reserve(Cost(flops=10))
    assert ledger.spent == 3
    assert ledger.cost == Cost(flops=30)


def test_reservations_count_before_they_are_settled() -> None:
    ledger = Ledger(Budget("flops", 100))
    ledger.reserve(Cost(flops=60))
    with pytest.raises(BudgetSpent, match="takes 60 flops, 40 of 100 are left"):
        ledger.reserve(Cost(flops=60))
    ledger.reserve(Cost(flops=40))
    assert ledger.remaining == 0


@pytest.mark.parametrize("unit", UNITS)
def test_no_sequence_of_trials_overspends(unit: Unit) -> None:
    rng = np.random.default_rng(5)
    for amount in rng.uniform(2, 40, size=20):
        budget = Budget(unit, float(amount))
        ledger = Ledger(budget)
        while True:
            flops, tokens = (int(value) for value in rng.integers(1, 8, size=2))
            cost = Cost(flops, tokens, float(rng.uniform(0.1, 3)))
            try:
                reservation = ledger.reserve(cost)
            except BudgetSpent:
                assert ledger.spent + budget.price(cost) > amount
                break
            ledger.settle(reservation, cost)
        assert ledger.spent <= amount * (1 + 1e-9)


@pytest.mark.parametrize("count", [3, 10])
def test_the_last_trial_fits_whatever_rounding_says(count: int) -> None:
    """In doubles 0.1 twice leaves less than 0.1 of 0.3, and ten times 0.1 is not 1."""
    ledger = Ledger(Budget("device_seconds", count / 10))
    for _ in range(count):
        cost = Cost(device_seconds=0.1)
        ledger.settle(ledger.reserve(cost), cost)
    with pytest.raises(BudgetSpent):
        ledger.reserve(Cost(device_seconds=0.1))


def test_flops_are_exact_beyond_what_a_double_holds() -> None:
    ledger = Ledger(Budget("flops", 2**60))
    cost = Cost(flops=2**59 + 1)
    ledger.settle(ledger.reserve(cost), cost)
    with pytest.raises(BudgetSpent):
        ledger.reserve(Cost(flops=2**60))
    assert ledger.spent == 2**59 + 1


def test_a_reservation_is_settled_once_and_never_above_its_amount() -> None:
    ledger = Ledger(Budget("flops", 100))
    reservation = ledger.reserve(Cost(flops=10))
    with pytest.raises(ValueError, match="more than the reserved"):
        ledger.settle(reservation, Cost(flops=11))
    ledger.settle(reservation, Cost(flops=10))
    with pytest.raises(ValueError, match="is not open"):
        ledger.settle(reservation, Cost(flops=10))


def test_a_trial_that_costs_less_gives_the_rest_back() -> None:
    ledger = Ledger(Budget("tokens", 100))
    ledger.settle(ledger.reserve(Cost(tokens=80)), Cost(tokens=30))
    assert ledger.remaining == 70


def test_llm_use_stands_on_its_own_axis_unless_it_is_charged() -> None:
    call = LlmCost(calls=1, prompt_tokens=100, completion_tokens=20, flops=50, seconds=2.0)
    free = Ledger(Budget("flops", 100))
    free.charge_llm(call)
    assert (free.spent, free.llm.calls, free.remaining) == (0, 1, 100)
    charged = Ledger(Budget("flops", 100, charge_llm=True))
    charged.charge_llm(call)
    assert (charged.spent, charged.remaining) == (50, 50)
    assert Budget("device_seconds", 9, charge_llm=True).llm_price(call) == 2.0


@pytest.mark.parametrize(
    ("unit", "amount", "charge_llm", "message"),
    [
        ("watts", 1.0, False, "must be one of flops, device_seconds, tokens, trials, got watts"),
        ("flops", 0.0, False, "positive and finite, got 0"),
        ("flops", float("inf"), False, "positive and finite, got inf"),
        ("flops", float("nan"), False, "positive and finite, got nan"),
        ("trials", 5.0, True, "charge_llm needs budget.unit=flops or device_seconds"),
    ],
)
def test_impossible_budgets_are_refused(
    unit: Unit, amount: float, charge_llm: bool, message: str
) -> None:
    with pytest.raises(InvalidSetting, match=message):
        Budget(unit, amount, charge_llm)


def test_a_quote_is_for_what_is_not_paid_yet_and_changes_nothing() -> None:
    proxy = additive(PatternSpace("AMS", 6))
    account = Account(proxy, Budget("trials", 1.5), "reuse")
    half = account.quote("AMSAMS", 0.5)
    assert half == account.quote("AMSAMS", 0.5) and account.ledger.remaining == 1.5
    assert (half.cost, half.paid, half.share) == (proxy.cost("AMSAMS", 0.5), Cost(), 0.5)
    account.reserve(half)
    assert account.quote("AMSAMS", 0.25).is_duplicate and account.quote("AMSAMS", 0.5).is_duplicate
    rest = account.quote("AMSAMS", 1)
    assert (rest.replicate, rest.paid, rest.share) == (0, half.cost, 0.5)
    assert rest.cost == proxy.cost("AMSAMS") - half.cost
    account.reserve(rest)
    assert account.ledger.remaining == 0.5


def test_what_does_not_fit_is_not_noted_as_paid() -> None:
    account = Account(additive(PatternSpace("AMS", 6)), Budget("trials", 0.5), "reuse")
    with pytest.raises(BudgetSpent):
        account.reserve(account.quote("AMSAMS", 1))
    assert not account.quote("AMSAMS", 1).is_duplicate


def test_a_retrained_pattern_is_a_replicate_in_full() -> None:
    proxy = additive(PatternSpace("AMS", 6))
    account = Account(proxy, Budget("trials", 9), "retrain")
    account.reserve(account.quote("AMSAMS", 1))
    again = account.quote("AMSAMS", 1)
    assert not again.is_duplicate
    assert (again.replicate, again.cost, again.share) == (1, proxy.cost("AMSAMS"), 1)


def test_no_flop_too_many_however_large_the_budget() -> None:
    ledger = Ledger(Budget("flops", 10**12))
    half = Cost(flops=5 * 10**11)
    ledger.settle(ledger.reserve(half), half)
    with pytest.raises(BudgetSpent, match="the next trial takes 5e"):
        ledger.reserve(Cost(flops=5 * 10**11 + 1))
    ledger.settle(ledger.reserve(half), half)
    assert ledger.spent == 10**12 and ledger.remaining == 0


@pytest.mark.parametrize("price", [float("nan"), float("inf"), -1.0, -1e-300])
def test_a_price_that_is_none_is_refused_before_and_after_a_trial(price: float) -> None:
    ledger = Ledger(Budget("device_seconds", 10))
    with pytest.raises(ProxyFailed, match=f"0 or more device_seconds, got {price}"):
        ledger.reserve(Cost(device_seconds=price))
    reservation = ledger.reserve(Cost(device_seconds=1))
    with pytest.raises(ProxyFailed, match="0 or more device_seconds"):
        ledger.settle(reservation, Cost(device_seconds=price))
    assert (ledger.spent, ledger.remaining) == (0, 9)
