"""The settings of `nasarena export` for runs; as in config.py."""

from typing import Literal

from pydantic import Field

from nasarena.search.settings import settings


@settings
class ExportConfig:
    """`nasarena export RUNS to=TOOL`."""

    to: Literal["csv", "mlflow", "wandb", "tensorboard"] = Field(
        "csv", description="csv, mlflow, wandb or tensorboard"
    )
    out: str | None = Field(
        None,
        description="a folder or file to write, for mlflow the address of its store; null: the "
        "tool's own default, or a folder of the tool's name in that of the runs",
    )
