"""The options of `sequence-gp`: their types, their bounds and what `--help` says of them."""

from typing import Annotated

from pydantic import Field

NumStarts = Annotated[
    int, Field(ge=3, description="patterns that the search for the next one starts from")
]
NumClimbers = Annotated[int, Field(ge=1, description="best starts, which climb to a local optimum")]
RefitGrowth = Annotated[
    float, Field(ge=1, description="weights are fitted again after this growth of the trials")
]
FitSteps = Annotated[int, Field(ge=1, description="most steps of L-BFGS in a fit of the weights")]
DeviationScale = Annotated[
    float,
    Field(gt=0, description="the posterior's deviation counts so many times; above 1: explore"),
]
NicheDistance = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="share of layers in which a niche differs from the best pattern; 0: no niches",
    ),
]
NicheBelow = Annotated[
    float,
    Field(
        gt=0,
        description="niches are tried below this expected improvement, in standard deviations of "
        "scores",
    ),
]
TrustRadius = Annotated[
    int | None,
    Field(ge=1, description="most layers that may differ from the best pattern; null: all"),
]
