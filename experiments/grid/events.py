"""TensorBoard events of a training: what `losses.jsonl` says of each step, as curves.

    runs/NAME/tensorboard/cells/SIZE/PATTERN/seed-K/PART/events.out.tfevents...

A part is the trunk or a budget's decay: both count steps from the trunk's first. When a training is
begun, or goes on, its earlier steps are written again from `losses.jsonl`, so that no kill leaves a
gap or a step twice, and the option may be switched on later.
"""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Self

from nasarena.proxies.scaled.cell_folder import StepRecord, read_losses
from nasarena.search.errors import InvalidSetting, ProxyFailed

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter

FOLDER = "tensorboard"
_FLUSH_EVERY_S = 10


def require_tensorboard() -> None:
    """Raises InvalidSetting where the package is missing."""
    if find_spec("tensorboard") is None:
        raise InvalidSetting(
            "tensorboard=true needs the package tensorboard: pip install 'nasarena[tensorboard]'"
        )


class EventLog:
    """The events of one cell: loss, learning rate, tokens a second and utilization by step.

    `peak_tokens_per_s`: what the model would train at the device's peak; None: not known, and no
    utilization is written. A context manager around the training.
    """

    def __init__(self, cell: Path, out: Path, peak_tokens_per_s: float | None) -> None:
        self._cell, self._out, self._peak = cell, out, peak_tokens_per_s
        self._writers: dict[str, SummaryWriter] = {}
        self._seen: set[tuple[str, int]] = set()
        self._is_begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        try:
            for writer in self._writers.values():
                writer.close()
        except OSError as refused:
            if kind is None:
                raise self._unwritable(refused) from refused

    def write(self, step: StepRecord) -> None:
        """Add a step, before the first all that are recorded. Raises ProxyFailed on a full disk."""
        try:
            if not self._is_begun:
                self._is_begun = True
                shutil.rmtree(self._out, ignore_errors=True)
                for earlier in read_losses(self._cell):
                    self._add(earlier)
            self._add(step)
        except OSError as error:
            raise self._unwritable(error) from error

    def _add(self, step: StepRecord) -> None:
        if (step.part, step.step) in self._seen:
            return
        self._seen.add((step.part, step.step))
        values = {
            "loss": step.loss,
            "learning_rate": step.rate,
            "tokens_per_s": step.tokens_per_s,
        }
        if self._peak is not None:
            values["utilization"] = step.tokens_per_s / self._peak
        for name, value in values.items():
            self._writer(step.part).add_scalar(name, value, step.step)

    def _writer(self, part: str) -> "SummaryWriter":
        if part not in self._writers:
            from torch.utils.tensorboard.writer import SummaryWriter

            self._writers[part] = SummaryWriter(str(self._out / part), flush_secs=_FLUSH_EVERY_S)
        return self._writers[part]

    def _unwritable(self, error: OSError) -> ProxyFailed:
        return ProxyFailed(
            f"cannot write events to {self._out}: {error.strerror}; the training is kept, run the "
            f"same command again when there is room, or without tensorboard=true"
        )
