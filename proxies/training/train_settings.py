"""How every model of a proxy is trained and scored."""

from dataclasses import dataclass
from math import cos, pi
from typing import Literal, get_args

from nasarena.search.errors import InvalidSetting

Schedule = Literal["linear", "cosine"]


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How a model is trained and scored; the same for every pattern.

    steps             optimizer steps
    batch_size        sequences a step
    num_train         distinct training sequences, repeated in epochs of new order; 0: all new
    num_eval          sequences of the split that the score is measured on
    learning_rate     peak, reached after `warmup_steps`, then `schedule` down to `final_fraction`
    weight_decay      on matrices only
    clip              largest norm of one model's gradient
    """

    steps: int = 100
    batch_size: int = 8
    num_train: int = 0
    num_eval: int = 64
    learning_rate: float = 6e-3
    warmup_steps: int = 10
    schedule: Schedule = "linear"
    final_fraction: float = 0.0
    weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.95
    clip: float = 1.0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "num_eval", "learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise InvalidSetting(f"proxy {name} must be positive, got {getattr(self, name)}")
        if self.warmup_steps < 0:
            raise InvalidSetting(f"proxy warmup_steps must be at least 0, got {self.warmup_steps}")
        if self.schedule not in get_args(Schedule):
            raise InvalidSetting(f"proxy schedule must be linear or cosine, got {self.schedule!r}")
        if self.num_train and self.num_train < self.batch_size:
            raise InvalidSetting(
                f"proxy num_train must be 0 or at least batch_size {self.batch_size}, "
                f"got {self.num_train}"
            )

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
