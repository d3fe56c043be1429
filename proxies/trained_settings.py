"""Everything that a trained score depends on, besides data, pattern, seed and split."""

import re
from typing import Literal

from pydantic import Field

from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.training.train_settings import TrainSettings
from nasarena.search.errors import InvalidSetting
from nasarena.search.settings import settings


@settings
class TrainedSettings:
    """By default what `quick` is, the smallest: `experiments/conf/proxy` has what others change.

    `population` changes speed and memory, never a result; `device`, `precision` and `step` are as
    in `training/devices.py`.
    """

    model: ModelShape = ModelShape()
    train: TrainSettings = TrainSettings()
    score_by: Literal["loss", "accuracy", "class_accuracy"] = Field(
        "loss",
        description="loss (score = -loss), accuracy, or class_accuracy: averaged over classes in "
        "each batch",
    )
    population: int = Field(
        0,
        ge=0,
        description="models that train in one program, at most; 0: what suits the device; never "
        "changes a result",
    )
    device: str = Field("cpu", description="auto: a GPU where there is one; cpu, cuda or cuda:1")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of matrix products; auto: bfloat16 on a GPU, float32 on a CPU"
    )
    step: Literal["auto", "native", "eager", "graph"] = Field(
        "auto",
        description="native: kernels of ours, CPU; eager: torch; graph: one CUDA graph; auto: "
        "native or graph",
    )

    def __post_init__(self) -> None:
        if not re.fullmatch("auto|cpu|cuda(:[0-9]+)?", self.device):
            raise InvalidSetting(f"device must be auto, cpu, cuda or cuda:N, got {self.device!r}")
