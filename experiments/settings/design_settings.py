"""The settings of `nasarena design`; as in config.py."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, InstanceOf

from nasarena.experiments.settings.choices import LlmConfig
from nasarena.experiments.settings.config import (
    CACHE,
    FIRST_SEED,
    WORKERS,
    FolderName,
    Positive,
    SearcherConfig,
    Workers,
    as_searcher,
)
from nasarena.search.settings import settings


@settings
class DesignConfig:
    """`nasarena design`."""

    task: Literal["autoresearch", "lra-listops", "lra-text", "lra-retrieval"] = Field(
        "autoresearch", description="whose script or encoder is changed"
    )
    mode: Literal["edits", "code"] = Field(
        "edits",
        description="edits: a candidate is a list of edits of the catalogue; code: a whole "
        "program, in a sandbox, by wall time",
    )
    variant: Literal["fixed", "configurable"] | None = Field(
        None,
        description="lra: whether sizes and rates are given, and at most 10 % more parameters, or "
        "are edits too; null: fixed",
    )
    size: Literal["tiny", "cpu", "published"] | None = Field(
        None,
        description="lra: short sequences and a small encoder, or those of the paper; tiny: few "
        "examples, for tests; null: cpu",
    )
    data: str | None = Field(
        None, description="lra: folder of IMDb or AAN; null: text of an installed package"
    )
    framework: Literal["torch", "flax"] = Field(
        "torch", description="lra, mode=code: what encoders are written in; flax: as published"
    )
    baselines: bool = Field(
        False, description="no search: train what the task has by name, print and write a table"
    )
    scale: Literal["full", "smoke"] = Field(
        "full", description="smoke: 2 seeds, 8 trials or 6, short trainings: does it all work?"
    )
    searchers: tuple[Annotated[SearcherConfig, BeforeValidator(as_searcher)], ...] | None = Field(
        None,
        description="names, as [random,tpe], or {name:tpe,options:{num_startup:4}}; null: all "
        "classical ones that work in this mode; agents need llm.base_url= or another llm",
    )
    llm: InstanceOf[LlmConfig] = LlmConfig()
    seeds: Annotated[int, Field(ge=1)] | None = Field(
        None, description="runs of every searcher, each with its own trainings; null: 5, lra: 3"
    )
    first_seed: int = Field(0, ge=0, description=FIRST_SEED)
    trials: Annotated[int, Field(ge=2)] | None = Field(
        None, description="trainings that a run pays for; null: 24, lra: 16"
    )
    seconds: Positive | None = Field(
        None, description="of a training, by the clock; null: what the task says"
    )
    clock: Literal["modelled", "wall", "steps"] | None = Field(
        None,
        description="modelled: seconds of a reference core, the same on every machine; wall: of "
        "this one; steps: seconds are then steps; null: modelled for edits, wall for code",
    )
    initial_design: int = Field(
        4, ge=0, description="candidates that everybody is told first, charged; the first of them "
        "is the script as it is"
    )  # fmt: skip
    attribute: bool | None = Field(
        None,
        description="take the winner apart, edit by edit or hunk by hunk, on an account of its "
        "own; null: for edits of autoresearch alone, for elsewhere its hundreds of trainings take "
        "longer than the search",
    )
    winner: str | None = Field(
        None,
        description="no search: this list of edits (mode=code: the program in this file) is taken "
        "apart",
    )
    attribution_seeds: int = Field(
        8, ge=3, description="trainings of each candidate of the attribution"
    )
    name: FolderName | None = Field(None, description="name of the comparison")
    folder: str = Field("runs", description="where comparisons lie")
    workers: Workers = Field(None, description=WORKERS)
    cache: bool = Field(True, description=CACHE)
    retry_failed: bool = Field(False, description="try again what failed before")
    overwrite: bool = Field(False, description="remove recorded runs of other settings")
    report: bool = Field(True, description="draw the figures and write report.html at the end")
