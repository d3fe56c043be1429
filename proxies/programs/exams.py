"""What is asked of a trained model, twice and in two ways, and what its answers are worth.

Next bytes are asked about windows of text and their twins (`windows.py`). Of rows with a label the
twins are the rows themselves in another order, secret and new each time: a model whose answers
depend on its neighbours in a batch, on what it was asked before or on chance gives others.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from nasarena.proxies.programs.script_task import ScriptTask
from nasarena.proxies.programs.windows import Floats, Ints, draw_windows, how_far_apart


class Exam(Protocol):
    """`inputs` and `twins` are `[n, width]`; an answer to one of them is of `answer_shape`.

    `suspicion` says on what answers depend that differ.
    """

    @property
    def inputs(self) -> Ints: ...
    @property
    def twins(self) -> Ints: ...
    @property
    def answer_shape(self) -> tuple[int, ...]: ...
    @property
    def suspicion(self) -> str: ...

    def difference(self, answers: Floats, twins: Floats) -> float:
        """The largest between log-probabilities, in nats, where both must be the same."""
        ...

    def mark(self, answers: Floats) -> tuple[float, Mapping[str, float]]:
        """The score, higher is better, and the metrics behind it."""
        ...


@dataclass(frozen=True)
class LabelledRows:
    """`labels` are `[n]`; `order` is that of the twins."""

    inputs: Ints
    labels: Ints
    order: Ints
    answer_shape: tuple[int, ...]
    suspicion: ClassVar[str] = "other examples or on chance"

    @property
    def twins(self) -> Ints:
        """As `Exam`."""
        return self.inputs[self.order]

    def difference(self, answers: Floats, twins: Floats) -> float:
        """As `Exam.difference`."""
        return float(how_far_apart(answers[self.order], twins).max())

    def mark(self, answers: Floats) -> tuple[float, Mapping[str, float]]:
        """Accuracy, and the loss in nats."""
        accuracy = float((answers.argmax(axis=-1) == self.labels).mean())
        loss = float(-np.take_along_axis(answers, self.labels[:, None], axis=-1).mean())
        return accuracy, {"accuracy": accuracy, "loss": loss}


def draw_exam(task: ScriptTask) -> Exam:
    """What a task asks; what of it is secret is new each time."""
    if task.labels is None:
        return draw_windows(task)
    inputs = task.held_out[: task.num_windows].astype(np.int64)
    labels = task.labels[: task.num_windows].astype(np.int64)
    order = np.random.default_rng(secrets.randbits(128)).permutation(len(inputs))
    return LabelledRows(inputs, labels, order, (task.num_classes,))
