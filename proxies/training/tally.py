"""What a population's scoring adds up to: losses, right guesses and accuracy averaged over classes.

Shapes: P models, B sequences, T positions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nasarena.proxies.data.task import IGNORE
from nasarena.proxies.training.class_accuracy import class_accuracy


@dataclass(frozen=True, slots=True)
class Scored:
    """What became of one model: mean loss in nats and accuracy per counted target, or a reason.

    `class_accuracy` is the mean over batches of accuracy averaged over classes, where asked for.
    """

    loss: float
    accuracy: float
    failure: str = ""
    class_accuracy: float | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """What was measured, by name."""
        own = {"loss": self.loss, "accuracy": self.accuracy}
        if self.class_accuracy is not None:
            own["class_accuracy"] = self.class_accuracy
        return own


class Tally:
    """Sums over scored batches of `size` models; classes are averaged in parts of `batch_size`."""

    def __init__(
        self, size: int, num_classes: int, batch_size: int, by_class: bool, device: torch.device
    ) -> None:
        self._num_classes, self._batch_size, self._by_class = num_classes, batch_size, by_class
        self._sums_P3 = torch.zeros(size, 3, device=device)  # losses, right guesses, targets
        self._by_class_P, self._num_sequences = torch.zeros(size, device=device), 0

    def add(self, losses_P: Tensor, guesses_PBT: Tensor, targets_PBT: Tensor) -> None:
        """The losses of one batch, summed over its counted targets, and the guesses."""
        counted_P = (targets_PBT != IGNORE).flatten(1).sum(1)
        right_P = (guesses_PBT == targets_PBT).flatten(1).sum(1)
        self._sums_P3 = self._sums_P3 + torch.stack([losses_P, right_P, counted_P], 1)
        if not self._by_class:
            return
        size = self._batch_size
        parts = zip(
            torch.split(guesses_PBT, size, 1), torch.split(targets_PBT, size, 1), strict=True
        )
        for guesses, targets in parts:
            self._by_class_P += targets.shape[1] * class_accuracy(
                guesses, targets, self._num_classes
            )
            self._num_sequences += targets.shape[1]

    def scored(self, failures: Sequence[str]) -> list[Scored]:
        """Means of each model; of those with a reason to have failed this stays the reason."""
        by_class = (self._by_class_P / max(1, self._num_sequences)).tolist()
        return [
            Scored(
                loss / counted, right / counted, failure or _divergence_note(loss),
                mean if self._by_class else None,
            )
            for (loss, right, counted), failure, mean in zip(
                self._sums_P3.tolist(), failures, by_class, strict=True
            )
        ]  # fmt: skip


def _divergence_note(loss: float) -> str:
    return "" if loss == loss else "diverged: loss is nan"
