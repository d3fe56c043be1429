"""What a person sees while a grid trains: a bar on a terminal, a line for each ended cell."""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from nasarena.experiments.execution.pool import News
from nasarena.experiments.grid.cell_task import CellNews
from nasarena.experiments.grid.cells import Grid, GridCell
from nasarena.experiments.grid.folder import GridFolder
from nasarena.experiments.grid.training import Estimate, flops_to_train
from nasarena.search.notation import run_lengths


class GridDisplay:
    """Shows `cells` being trained; a context manager around it, fed by `update`.

    `peak`: FLOPs a second of the best matrix products of a core; None where a GPU trains.
    """

    def __init__(self, cells: Sequence[GridCell], peak: float | None, console: Console) -> None:
        self._cells, self._peak, self._console = cells, peak, console
        self._start_s = time.monotonic()
        self._total = sum(map(flops_to_train, cells))
        self._done: dict[Path, float] = {}  # FLOPs, by place
        self._before: dict[Path, float] = {}  # of these, those of an earlier command
        self._news: dict[Path, CellNews] = {}
        self._num_ended = 0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[words]}"),
            console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._bar = self._progress.add_task(self._count, total=1.0, words="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def update(self, cell: GridCell, news: News) -> None:
        """Take in what a worker says of a cell."""
        flops = flops_to_train(cell)
        if news.kind == "working":
            told: CellNews = news.value
            self._news[cell.place] = told
            self._done[cell.place] = told.share * flops
            self._before.setdefault(cell.place, told.share * flops)
        else:
            self._num_ended += 1
            self._done[cell.place] = flops
            self._before.setdefault(cell.place, flops)
            self._say(cell, news)
            self._news.pop(cell.place, None)
        share = sum(self._done.values()) / max(1, self._total)
        words = [self._speed(cell, each) for each in list(self._news.values())[-1:]]
        self._progress.update(
            self._bar,
            description=self._count,
            completed=share,
            words=", ".join([*words, self._left]),
        )

    def _say(self, cell: GridCell, news: News) -> None:
        """One line of a cell that has ended."""
        said = self._news.get(cell.place)
        if news.kind != "done":
            what = f"failed: {news.value}" if news.kind != "crashed" else "failed: a fault of ours"
        else:
            what = self._speed(cell, said) if said else "done"
        words = f"{self._count}  {cell.words}: {what}, {self._left}"
        self._progress.console.print(words, markup=False, highlight=False, soft_wrap=True)

    @property
    def _count(self) -> str:
        return f"{self._num_ended}/{len(self._cells)} cells"

    def _speed(self, cell: GridCell, said: CellNews) -> str:
        words = f"loss {said.loss:.3f} nats, {said.tokens_per_s:,.0f} tokens/s"
        if self._peak is None:
            return words
        used = said.tokens_per_s * cell.flops_per_step / cell.tokens_per_step / self._peak
        return f"{words}, {used:.0%} of the core's peak"

    @property
    def _left(self) -> str:
        """Time left at the speed so far."""
        done = sum(self._done.values())
        now = done - sum(self._before.values())
        elapsed_s = time.monotonic() - self._start_s
        return f"{in_words((self._total - done) * elapsed_s / now)} left" if now > 0 else ""


def in_words(seconds: float) -> str:
    """`1:02:03` as hours, minutes, seconds."""
    return str(timedelta(seconds=round(seconds)))


def show_plan(
    grid: Grid,
    num_trainings: int,
    folder: Path,
    estimate: Estimate,
    peak: float | None,
    num_workers: int,
    console: Console,
) -> None:
    """Patterns, sizes, and what is still to be trained."""
    shown = Table(box=None, title=f"{len(grid.patterns)} patterns", title_justify="left")
    for label, pattern in grid.patterns.items():
        shown.add_row(label, run_lengths(pattern))
    console.print(shown)
    console.print(_sizes(grid))
    number = f"{estimate.num_cells} of {num_trainings} trainings"
    words = f"{folder}: {number} to do, {estimate.flops:.3g} FLOPs"
    if estimate.flops and estimate.rates:
        words += f", about {in_words(estimate.seconds)} on {num_workers} workers as timed now"
    if estimate.untimed:
        words += f"; without {', '.join(estimate.untimed)}, too large to be timed here"
    if peak and estimate.rates:
        shares = [f"{size} {rate / peak:.0%}" for size, rate in estimate.rates.items()]
        words += (
            f". Model FLOPs utilization, of {peak / 1e9:.0f} GFLOPs/s of the best matrix products "
            f"on one core: {', '.join(shares)}"
        )
    console.print(words, markup=False, soft_wrap=True)


def _sizes(grid: Grid) -> Table:
    shown = Table(box=None)
    shown.add_column("size", no_wrap=True)
    for name in ("N", "learning rate", "batch", "tokens", "steps", "FLOPs of quick's training"):
        shown.add_column(name, justify="right")
    for size in grid.sizes:
        own = [cell for cell in grid.cells if cell.size.name == size.name]
        tokens = [each for cell in own for each in cell.tokens]
        steps = [budget.steps for cell in own for budget in cell.budgets]
        flops = [cell.flops(cell.tokens[-1]) / _QUICK_FLOPS for cell in own]
        shown.add_row(
            size.name, f"{size.parameters:,}", f"{size.train.learning_rate:g}",
            str(size.train.batch_size), _range(tokens), _range(steps), f"x {max(flops):.3g}",
        )  # fmt: skip
    return shown


# 60 steps of 8 x 32 tokens of attention and MLP in turn at width 32 (experiments/conf/proxy).
_QUICK_FLOPS = 1.13e10


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def show_losses(
    grid: Grid, folder: GridFolder, failures: Mapping[Path, str], console: Console
) -> None:
    """Mean loss over seeds after the largest budget, by pattern and size; then what failed."""
    shown = Table(title="held-out loss, nats a token, largest budget", box=None)
    shown.add_column("", no_wrap=True)
    for size in grid.sizes:
        shown.add_column(size.name, justify="right")
    for label in grid.patterns:
        row = []
        for size in grid.sizes:
            own = [
                cell for cell in grid.cells if (cell.label, cell.size.name) == (label, size.name)
            ]
            found = [folder.results(cell).get(cell.budgets[-1].steps) for cell in own]
            losses = [result.loss for result in found if result]
            row.append(f"{sum(losses) / len(losses):.4f}" if losses else "")
        shown.add_row(label, *row)
    console.print(shown)
    for place, reason in failures.items():
        console.print(f"failed: {place}: {reason}", markup=False, soft_wrap=True)
