"""From the settings of a budget to the amount that every run gets."""

from nasarena.experiments.settings.config import BudgetConfig
from nasarena.search.budget import Budget
from nasarena.search.candidates.protocol import Space
from nasarena.search.errors import InvalidSetting
from nasarena.search.proxy import Proxy, mean_cost
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace


def price_budget(config: BudgetConfig, proxy: Proxy) -> tuple[Budget, int]:
    """The budget, and how many trials of average cost it pays for.

    Raises InvalidSetting where it does not pay for the cheapest of a sample of patterns.
    """
    average = Budget(config.unit, 1).price(mean_cost(proxy))
    amount = average * (config.patterns or 0) if config.amount is None else config.amount
    if config.unit != "device_seconds":
        amount = round(amount)  # counted in whole FLOPs, tokens, trials
    budget = Budget(config.unit, max(amount, 1e-300), config.charge_llm)
    _refuse_too_small(budget, proxy, average)
    # A hair more, so that 32 average patterns count as 32 and not as 31.
    return budget, max(1, int(budget.amount / average * (1 + 1e-9)))


def _refuse_too_small(budget: Budget, proxy: Proxy, average: float) -> None:
    rng = stream(0, "cheapest pattern")
    space: Space = proxy.space
    uniform = (
        [letter * space.depth for letter in space.alphabet]
        if isinstance(space, PatternSpace)
        else []
    )
    patterns = [*uniform, *(space.sample(rng) for _ in range(100))]
    cheapest = min(budget.price(proxy.cost(pattern)) for pattern in patterns)
    if cheapest > budget.amount:
        raise InvalidSetting(
            f"the budget must pay for one trial at least, which takes {average:.4g} {budget.unit} "
            f"on average, got {budget.amount:.4g}; raise budget.amount or budget.patterns"
        )
