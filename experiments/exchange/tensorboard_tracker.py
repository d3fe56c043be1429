"""A run as TensorBoard reads it, in `tensorboard/` of its comparison: tensorboard --logdir DIR."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from nasarena.experiments.exchange.event_metrics import Row
from nasarena.experiments.exchange.tracking import TrackedRun


class _TensorboardRun:
    def __init__(self, run: TrackedRun) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder = Path(run.where or run.folder / "tensorboard") / run.name
        for old in folder.glob("events.out.tfevents.*"):  # of the same run, which is shown anew
            old.unlink()
        self._writer = SummaryWriter(str(folder))
        self._start_s = time.time()
        config = json.dumps(dict(run.header["config"]), indent=1)
        self._writer.add_text("config", f"```\n{config}\n```")

    def log(self, rows: Sequence[Row]) -> None:
        for row in rows:
            for name, value in row.values.items():
                self._writer.add_scalar(name, value, row.step, self._start_s + row.at_s)
        self._writer.flush()

    def end(self, state: str) -> None:
        self._writer.add_text("state", state)
        self._writer.close()


begin = _TensorboardRun
