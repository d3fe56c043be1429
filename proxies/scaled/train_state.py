"""A model in training: weights, moments of AdamW and the number of steps, and what a step does."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from math import log

import torch
from torch import Tensor

from nasarena.proxies.data.task import Batch, Task
from nasarena.proxies.scaled.scaled_settings import ScaledSettings
from nasarena.proxies.scaled.shape import ScaledShape
from nasarena.search.errors import ProxyFailed
from nasarena.search.seeding import stream_seed

FIRST, SECOND = "exp_avg", "exp_avg_sq"  # names of the moments


class TrainState(ABC):
    """What a step changes, whatever computes it. Weight decay is on matrices alone."""

    def __init__(self, pattern: str, shape: ScaledShape, settings: ScaledSettings) -> None:
        self.step, self.pattern = 0, pattern
        self.limit = 4 * log(shape.vocab_size)  # of a loss; a uniform guess has log(vocab_size)
        self._settings = settings

    @abstractmethod
    def advance(self, batch: Batch, rate: float) -> tuple[float, float | None]:
        """One step; the loss before it, and the gradient's norm before clipping where it is known.

        Raises ProxyFailed, with weights as they were, where `refuse_divergence` does.
        """

    @abstractmethod
    def evaluate(self, batch: Batch) -> float:
        """Mean loss over the counted targets of a batch, in nats."""

    @abstractmethod
    def weights(self) -> dict[str, Tensor]:
        """Weights by the names of `ScaledModel`."""

    def whole_weights(self) -> dict[str, Tensor]:
        """`weights`, where several processes hold parts of them gathered on the first."""
        return self.weights()

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """Weights and moments by name: all that the next step depends on, to be read or written."""

    @torch.no_grad()
    def restore(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `tensors` gave after `step` steps."""
        self.step = step
        for name, tensor in self.tensors().items():
            tensor.copy_(tensors[name])

    def refuse_divergence(self, loss: float, norm: float = 0.0) -> None:
        """Raise ProxyFailed where the loss explodes, or it or the gradient's norm is no number."""
        if not (loss <= self.limit and norm < float("inf")):
            raise ProxyFailed(
                f"the loss of {self.pattern} must stay below {self.limit:.3g} and its gradient's "
                f"norm finite, got {loss:.4g} and {norm:.4g} at step {self.step + 1}: try a "
                f"smaller learning_rate"
            )


def train_batch(task: Task, seed: int, step: int, batch_size: int) -> Batch:
    """The sequences of one step, counted from 0: by (seed, step) alone, for every pattern."""
    return task.sample(stream_seed(seed, "scaled", "batch", step), "train", batch_size)
