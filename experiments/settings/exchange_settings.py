"""The settings of `nasarena export` for runs, and of `nasarena import`; as in config.py."""

from typing import Literal

from pydantic import Field

from nasarena.experiments.settings.config import FolderName
from nasarena.search.settings import settings

Tool = Literal[
    "csv", "json", "parquet", "optuna", "ioh", "replay", "mlflow", "wandb", "tensorboard"
]  # fmt: skip


@settings
class ExportConfig:
    """`nasarena export RUNS to=TOOL`."""

    to: Tool = Field(
        "csv",
        description="csv, json, parquet: tables of runs, trials and re-trainings; optuna: studies "
        "in a journal or SQLite file; ioh: for IOHanalyzer; replay: one file with all replies of "
        "language models, which nasarena import unpacks; mlflow, wandb, tensorboard",
    )
    out: str | None = Field(
        None,
        description="a folder to write, for optuna and replay a file, for mlflow the address of "
        "its store; null: beside the runs, by the tool's name, for mlflow and wandb their own "
        "default",
    )


@settings
class ImportConfig:
    """`nasarena import STORAGE`, or a file that `nasarena export RUNS to=replay` wrote."""

    study: str | None = Field(None, description="its name, where the storage has several")
    name: FolderName = Field("imported", description="name of the comparison")
    folder: str = Field("runs", description="where comparisons lie")
    label: FolderName | None = Field(
        None, description="what found the patterns, as tables call it; null: the study's name"
    )
    seed: int = Field(0, ge=0, description="runs of one seed are paired with one another")
    objective: str = Field(
        "imported", description="what scored them; runs of different ones are not compared"
    )
