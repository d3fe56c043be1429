"""How a model at scale is trained: the settings, and the schedule with which one trunk serves
several budgets.

The learning rate rises, stays, and at last falls as `1 - sqrt` (Haegele et al. 2024, section 3).
While it stays it knows of no budget: a budget branches off the trunk some steps before its end and
only its own decay is paid for.
"""

from dataclasses import dataclass
from math import inf, sqrt

from pydantic import Field

from nasarena.search.errors import InvalidSetting
from nasarena.search.settings import settings


@settings
class ScaledSettings:
    """How every model of a grid is trained and scored, whatever its pattern."""

    batch_size: int = Field(16, gt=0, description="sequences a step")
    micro_batch: int | None = Field(
        None, gt=0, description="sequences that are in memory at once; null: all of a step"
    )
    learning_rate: float = Field(3e-3, gt=0, description="peak, of AdamW")
    warmup_steps: int = Field(20, ge=0, description="steps in which the rate rises")
    decay_share: float = Field(
        0.2, gt=0, le=1, description="share of a budget's steps in which the rate falls"
    )
    weight_decay: float = Field(0.1, ge=0, description="of AdamW, on matrices only")
    beta1: float = Field(0.9, ge=0, lt=1, description="of AdamW: memory of the mean gradient")
    beta2: float = Field(0.95, ge=0, lt=1, description="of AdamW: memory of its square")
    clip: float | None = Field(1.0, gt=0, description="largest norm of the gradient; null: any")
    num_eval: int = Field(128, gt=0, description="sequences that the held-out loss is measured on")

    def __post_init__(self) -> None:
        if self.micro_batch is not None and self.batch_size % self.micro_batch:
            raise InvalidSetting(
                f"micro_batch must divide batch_size {self.batch_size}, got {self.micro_batch}"
            )

    @property
    def at_once(self) -> int:
        """Sequences that are in memory at once."""
        return self.micro_batch or self.batch_size

    @property
    def max_norm(self) -> float:
        """Largest norm of the gradient."""
        return inf if self.clip is None else self.clip

    def trunk_rate(self, step: int) -> float:
        """Learning rate of one step of the trunk, counted from 0."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        return self.learning_rate

    def budget(self, num_tokens: int, tokens_per_step: int) -> "Budget":
        """The steps of a budget of tokens, to the nearest.

        Raises InvalidSetting where no step is left for the peak of the rate.
        """
        steps = round(num_tokens / tokens_per_step)
        branch = steps - max(1, round(self.decay_share * steps))
        if branch < self.warmup_steps or steps < 1:
            raise InvalidSetting(
                f"a budget must have more steps than warm-up ({self.warmup_steps}) and decay "
                f"({self.decay_share:g} of all), got {num_tokens} tokens, {steps} steps of "
                f"{tokens_per_step}: fewer warmup_steps, a smaller batch_size or more tokens"
            )
        return Budget(branch, steps)


@dataclass(frozen=True, slots=True, order=True)
class Budget:
    """A training of `steps`, of which those from `branch` on decay; before it is the trunk."""

    branch: int
    steps: int

    def decay(self, step: int) -> float:
        """Share of the peak rate at one step of the decay, counted from 0 at the trunk's start."""
        return 1 - sqrt((step - self.branch) / (self.steps - self.branch))
