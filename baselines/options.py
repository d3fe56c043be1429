"""Options that several searchers have: their type, their bounds and what `--help` says of them."""

from typing import Annotated

from pydantic import Field

from nasarena.search.settings import ByBudget

NumStartup = Annotated[
    int,
    Field(ge=0, description="random trials before the model, the initial design among them"),
]
NUM_STARTUP = ByBudget(1 / 12, least=4, most=10)
Reduction = Annotated[
    int,
    Field(
        ge=2,
        description="of each rung the best 1/reduction are trained reduction times as long",
    ),
]
NumRungs = Annotated[
    int,
    Field(
        ge=1,
        description="the first trains to 1/reduction^(num_rungs - 1) of the steps, the last in "
        "full",
    ),
]
Multivariate = Annotated[
    bool | None,
    Field(description="model the letters jointly; null: Optuna decides (5.0: jointly)"),
]
