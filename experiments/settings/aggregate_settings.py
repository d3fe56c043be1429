"""The settings of `nasarena aggregate`; as in config.py."""

from typing import Annotated

from pydantic import Field

from nasarena.experiments.settings.config import CACHE, FIRST_SEED, WORKERS, Workers
from nasarena.search.settings import settings


@settings
class AggregateConfig:
    """`nasarena aggregate`."""

    seeds: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="scores of each rule's pattern on held-out data, on fresh seeds that are the "
        "same for all; null: 20, or 4 where every score is a training",
    )
    first_seed: int = Field(0, ge=0, description=FIRST_SEED)
    clusters: int = Field(5, ge=2, description="clusters of k-means on the score (Composer: 5)")
    top: int = Field(10, ge=2, description="best finalists for majority and medoid")
    resamples: int = Field(
        200, ge=20, description="draws of the searchers that the intervals come from"
    )
    sizes: tuple[str, ...] = Field(
        ("350M", "1B", "3B"),
        description="published sizes that the best pattern is stretched and stacked to; [] for "
        "none",
    )
    out: str | None = Field(
        None,
        description="folder for aggregate.csv and aggregate.md; null: that of the comparison",
    )
    workers: Workers = Field(None, description=WORKERS)
    cache: bool = Field(True, description=CACHE)
