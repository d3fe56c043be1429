"""How every model of a proxy is trained and scored."""

from math import cos, inf, pi
from typing import Literal

from pydantic import Field

from nasarena.search.errors import InvalidSetting
from nasarena.search.settings import settings

Schedule = Literal["linear", "cosine"]


@settings
class TrainSettings:
    """How a model is trained and scored; the same for every pattern, by default as in `quick`."""

    steps: int = Field(60, gt=0, description="training steps")
    batch_size: int = Field(8, gt=0, description="sequences a step")
    num_train: int = Field(
        0, ge=0, description="sequences to train on, again and again; 0: every sequence is new"
    )
    num_eval: int = Field(128, gt=0, description="sequences that the score is measured on")
    learning_rate: float = Field(7e-3, gt=0, description="peak, of AdamW")
    warmup_steps: int = Field(10, ge=0, description="steps of linear warm-up")
    schedule: Schedule = Field(
        "linear", description="how the rate falls after it: linear or cosine"
    )
    final_fraction: float = Field(
        0.0, ge=0, le=1, description="what the rate falls to, as a share of its peak"
    )
    weight_decay: float = Field(0.0, ge=0, description="of AdamW, on matrices only")
    beta1: float = Field(0.9, ge=0, lt=1, description="of AdamW: memory of the mean gradient")
    beta2: float = Field(0.95, ge=0, lt=1, description="of AdamW: memory of its square")
    clip: float | None = Field(
        1.0, gt=0, description="largest norm of one model's gradient; null: any"
    )

    def __post_init__(self) -> None:
        if self.num_train and self.num_train < self.batch_size:
            raise InvalidSetting(
                f"num_train must be 0 or at least batch_size {self.batch_size}, "
                f"got {self.num_train}"
            )

    @property
    def max_norm(self) -> float:
        """Largest norm of one model's gradient."""
        return inf if self.clip is None else self.clip

    @property
    def num_scored_together(self) -> int:
        """Sequences of one batch of scoring: without gradients there is room for more."""
        return min(4 * self.batch_size, self.num_eval)

    def rate(self, step: int) -> float:
        """Learning rate of one step, counted from 0."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        progress = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        left = 1 - progress if self.schedule == "linear" else (1 + cos(pi * progress)) / 2
        return self.learning_rate * (self.final_fraction + (1 - self.final_fraction) * left)
