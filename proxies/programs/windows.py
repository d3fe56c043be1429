"""The held-out windows, their twins with another end, and what logits for both are worth.

A window's twin has the same beginning, up to a secret place, and ends with other text; the twins
come in another order. A process that sees only twins must give the same logits for the beginnings
as one that sees only windows: a model that looks ahead, or at its neighbours in a batch, cannot.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from nasarena.proxies.programs.script_task import ScriptTask
from nasarena.search.seeding import stream

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
TOLERANCE = 2e-3  # of a log-probability in nats: the same model in float32, batched otherwise


@dataclass(frozen=True)
class Windows:
    """`inputs` and `targets` are `[n, length]`; `twins` too, in the order `order`.

    `cuts` `[n]` is the last position of each window that its twin shares.
    """

    inputs: Ints
    targets: Ints
    twins: Ints
    cuts: Ints
    order: Ints
    answer_shape: tuple[int, ...]
    suspicion: ClassVar[str] = "later bytes, on other windows or on chance"

    def difference(self, answers: Floats, twins: Floats) -> float:
        """As `Exam.difference`."""
        return largest_difference(self, answers, twins)

    def mark(self, answers: Floats) -> tuple[float, Mapping[str, float]]:
        """As `Exam.mark`."""
        bits = bits_per_byte(self, answers)
        return -bits, {"bits_per_byte": bits}


def draw_windows(task: ScriptTask) -> Windows:
    """The same windows for every program; cuts, ends and order are new and secret each time."""
    step = task.length + 1
    places = stream(0, "programs", task.name).permutation(len(task.held_out) // step)
    starts = np.sort(places[: task.num_windows]) * step
    windows = task.held_out[starts[:, None] + np.arange(step)].astype(np.int64)
    inputs, targets = windows[:, :-1], windows[:, 1:]
    secret = np.random.default_rng(secrets.randbits(128))
    cuts = secret.integers(0, task.length - 1, len(inputs))
    others = secret.integers(0, len(task.train) - task.length, len(inputs))
    ends = task.train[others[:, None] + np.arange(task.length)].astype(np.int64)
    after = np.arange(task.length) > cuts[:, None]
    changed = np.where(after & (ends == inputs), (ends + 1) % task.vocab_size, ends)
    order = secret.permutation(len(inputs))
    twins = np.where(after, changed, inputs)[order]
    return Windows(inputs, targets, twins, cuts, order, (task.length, task.vocab_size))


def log_probabilities(logits: npt.NDArray[np.float32]) -> Floats:
    """`[..., vocab]` in nats, normalized by us whatever the logits are."""
    values = logits.astype(np.float64)
    values = values - values.max(axis=-1, keepdims=True)
    normalized: Floats = values - np.log(np.exp(values).sum(axis=-1, keepdims=True))
    return normalized


def largest_difference(windows: Windows, answers: Floats, twins: Floats) -> float:
    """Between the log-probabilities for windows and for twins where both begin alike, in nats.

    `answers` are `[n, length, vocab]` in the order of the windows, `twins` in that of the twins.
    """
    shared = np.arange(answers.shape[1]) <= windows.cuts[windows.order][:, None]
    return float(how_far_apart(answers[windows.order], twins)[shared].max())


def how_far_apart(answers: Floats, others: Floats) -> Floats:
    """Log-probabilities, one by one; e**-20 and less counts as impossible, and all of it alike."""
    apart: Floats = np.abs(np.maximum(answers, -20.0) - np.maximum(others, -20.0))
    return apart


def bits_per_byte(windows: Windows, answers: Floats) -> float:
    """Mean over all targets."""
    chosen = np.take_along_axis(answers, windows.targets[..., None], axis=-1)
    return float(-chosen.mean() / np.log(2))
