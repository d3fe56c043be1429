"""What a script is trained on and scored by: bits per byte of text that it never saw."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from nasarena.proxies.programs.clocks import ClockKind
from nasarena.proxies.programs.fork_trial import VOCAB_SIZE, ForkTask
from nasarena.search.seeding import stream


def next_byte_task(
    train: NDArray[np.uint8], windows: NDArray[np.uint8], clock: ClockKind, amount: float
) -> ForkTask:
    """To predict each byte of `windows`, shape `(num_windows, length + 1)`, after the first.

    `train` are bytes, shape `(num_bytes,)`; `amount` is the time by the clock of this kind.
    """
    length = windows.shape[1] - 1

    def measure(logits: NDArray[np.float32]) -> tuple[float, Mapping[str, float]]:
        targets = torch.from_numpy(windows[:, 1:].astype(np.int64)).flatten()
        flat = torch.from_numpy(logits).flatten(0, 1).double()
        loss = torch.nn.functional.cross_entropy(flat, targets)
        bits = float(loss) / float(np.log(2))
        return -bits, {"bits_per_byte": bits}

    shape = (length, VOCAB_SIZE)
    return ForkTask(train, windows[:, :-1], shape, measure, clock, amount, length)


def draw_windows(
    text: NDArray[np.uint8], count: int, length: int, run: int, split: str
) -> NDArray[np.uint8]:
    """Random windows, shape `(count, length + 1)`, the same for every candidate of a run."""
    starts = stream(run, "windows", split).integers(len(text) - length - 1, size=count)
    return np.stack([text[start : start + length + 1] for start in starts])
