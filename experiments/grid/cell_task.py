"""What worker processes do for a grid: train a cell, time some steps, measure their core's peak."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from nasarena.experiments.execution.pool import Report
from nasarena.experiments.grid.cells import GridCell
from nasarena.experiments.grid.events import FOLDER, EventLog
from nasarena.proxies.data.text_data import ByteText, text_task
from nasarena.proxies.data.text_settings import TextSettings
from nasarena.proxies.data.token_text import TokenText
from nasarena.proxies.scaled.distributed.ranks import current_ranks
from nasarena.proxies.scaled.engine_choice import begin_state, choose_engine
from nasarena.proxies.scaled.token_definition import tokenizer_json
from nasarena.proxies.scaled.train_state import train_batch
from nasarena.proxies.scaled.training import Cell, train_cell
from nasarena.proxies.training.devices import choose_device, choose_precision
from nasarena.search.errors import ProxyFailed

_NUM_TIMED = 3  # steps, after a first and coldest
_SHORTEST_S = 0.3  # short steps are timed for at least so long


@dataclass(frozen=True, slots=True)
class CellNews:
    """How far a training is: share of its steps, loss in nats a token of the last one.

    Tokens a second are the mean over all steps of this command.
    """

    share: float
    loss: float
    tokens_per_s: float


@dataclass(frozen=True, slots=True)
class How:
    """What trains, how often that is kept, and what is written of it for TensorBoard.

    `peak`: FLOPs a second of the best matrix products of the device, where that is known.
    """

    engine: str
    device: str
    checkpoint_every: int
    tensorboard: bool = False
    peak: float | None = None


@dataclass(frozen=True, slots=True)
class CellTask:
    """Train what is missing of a cell; results stand in its folder below `root`."""

    cell: GridCell
    data: TextSettings
    how: How
    root: Path

    def __call__(self, report: Report) -> None:
        """Reports `CellNews`. Raises what `train_cell` does."""
        for told in self.steps():
            report(told)

    def steps(self) -> Iterator[CellNews]:
        """What is to be told after each step."""
        budgets, per_step = self.cell.tokens, self.cell.tokens_per_step
        num_tokens, busy_s, ranks = 0, 0.0, current_ranks()
        device = ranks.local_device(choose_device(self.how.device))
        training = train_cell(
            _cell(self.cell, self.data), budgets, self.root / self.cell.place, device,
            checkpoint_every=self.how.checkpoint_every, engine=self.how.engine, ranks=ranks,
        )  # fmt: skip
        with self._events() as events:
            for progress in training:
                step = progress.step
                if self.how.tensorboard:
                    ranks.agree(partial(events.write, step))
                num_tokens, busy_s = num_tokens + per_step, busy_s + per_step / step.tokens_per_s
                yield CellNews(progress.share, step.loss, num_tokens / busy_s)

    def _events(self) -> EventLog:
        per_token = self.cell.flops_per_step / self.cell.tokens_per_step
        peak, place = self.how.peak, self.cell.place
        out = self.root / FOLDER / place
        return EventLog(self.root / place, out, peak / per_token if peak else None)


@dataclass(frozen=True, slots=True)
class TimedSteps:
    """The seconds of a step of a cell, the median of a few; nothing is written."""

    cell: GridCell
    data: TextSettings
    how: How

    def __call__(self, report: Report) -> float:
        made, ranks = _cell(self.cell, self.data), current_ranks()
        device = ranks.local_device(choose_device(self.how.device))
        precision = choose_precision("auto", device)
        engine = choose_engine(self.how.engine, made.pattern, made.shape, device, precision, ranks)
        state = begin_state(
            made.pattern, made.shape, made.settings, made.seed, made.task.length, engine, device,
            precision, ranks,
        )  # fmt: skip
        times_s: list[float] = []
        while ranks.agree(lambda: len(times_s) <= _NUM_TIMED or sum(times_s) < _SHORTEST_S):
            start = time.perf_counter()
            batch = train_batch(made.task, made.seed, len(times_s), made.settings.batch_size)
            try:
                state.advance(batch, 0.0)
            except ProxyFailed:
                pass  # a training that diverges is the grid's to report
            times_s.append(time.perf_counter() - start)
        return sorted(times_s[1:])[(len(times_s) - 1) // 2]


def measure_peak(report: Report) -> float:
    """FLOPs a second of the best matrix products, in float32: of this core, or of all that train
    a model together.
    """
    import torch

    from nasarena.experiments.execution.peaks import matmul_flops, native_matmul_flops

    def measure() -> float:
        return max(matmul_flops(torch.device("cpu")), native_matmul_flops())

    return sum(current_ranks().gather(measure))


@lru_cache(maxsize=2)
def _task(data: TextSettings, batch_size: int) -> ByteText | TokenText:
    return text_task(data, batch_size)


def _cell(cell: GridCell, data: TextSettings) -> Cell:
    task = _task(data, cell.size.train.batch_size)
    return Cell(
        cell.pattern, cell.size.shape, cell.size.train, cell.seed, task, tokenizer_json(data)
    )
