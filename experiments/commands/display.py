"""What a person sees while runs go on: a live table on a terminal, plain lines elsewhere.

In a notebook each line takes the place of the one before.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nasarena.experiments.comparison.plan import Comparison
from nasarena.experiments.comparison.run_spec import Advance, RunSpec
from nasarena.experiments.comparison.running import Progress
from nasarena.search.untrusted.one_line import one_line


@dataclass(slots=True)
class _Row:
    """One searcher: how far each of its seeds is, and which have ended."""

    advances: dict[int, Advance] = field(default_factory=dict)
    working: set[int] = field(default_factory=set)
    finished: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)

    @property
    def share(self) -> float:
        """Share of all its budgets spent; a run that has ended counts as whole."""
        ended = self.finished | self.failed
        shares = [1.0 if seed in ended else self.advances[seed].share for seed in self.advances]
        return sum(shares) / len(shares)

    @property
    def best(self) -> float | None:
        """The best search score of all its seeds."""
        scores = [advance.best for advance in self.advances.values() if advance.best is not None]
        return max(scores, default=None)


class Display:
    """Shows a comparison going on; a context manager around it, fed by `update`.

    `to_do` are the cells that will be run now.
    """

    def __init__(self, comparison: Comparison, to_do: Sequence[RunSpec], console: Console) -> None:
        self._console = console
        self._start_s = time.monotonic()
        self._num_to_do, self._num_ended = len(to_do), 0
        self._rows: dict[str, _Row] = {}
        waiting = {cell.path for cell in to_do}
        for cell in comparison.cells:
            row = self._rows.setdefault(cell.entrant.label, _Row())
            row.advances[cell.seed] = Advance()
            if cell.path not in waiting:
                state = row.finished if comparison.state(cell) == "finished" else row.failed
                state.add(cell.seed)
        self._done_before = self._share_complete()
        self._live: Live | None = None
        self._is_notebook = console.is_jupyter and not console.quiet
        if console.is_terminal and to_do:
            self._live = Live(
                get_renderable=self._table, console=console, refresh_per_second=4, transient=True
            )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, traceback)
        elif self._is_notebook and self._num_ended:
            self._console.file.write("\n")

    def update(self, progress: Progress) -> None:
        """Take in what happened to a cell."""
        row, seed = self._rows[progress.cell.entrant.label], progress.cell.seed
        if progress.advance is not None:
            row.advances[seed] = progress.advance
        if progress.is_working:
            row.working.add(seed)
            return
        row.working.discard(seed)
        (row.finished if progress.state == "finished" else row.failed).add(seed)
        self._num_ended += 1
        if self._is_notebook:
            self._console.file.write(f"\r{self._line(progress):100}")
        elif self._live is None:
            self._console.print(self._line(progress), highlight=False, markup=False, soft_wrap=True)

    def _line(self, progress: Progress) -> str:
        count = f"[{self._num_ended}/{self._num_to_do}, {self._time_so_far_s:.0f} s]"
        if progress.state != "finished":
            return f"{count} {progress.cell.name}: {progress.state}, {one_line(progress.trouble)}"
        advance = self._rows[progress.cell.entrant.label].advances[progress.cell.seed]
        best = "no score" if advance.best is None else f"best {advance.best:.4f}"
        return f"{count} {progress.cell.name}: finished, {advance.num_trials} trials, {best}"

    def _table(self) -> RenderableType:
        table = Table(title=self._title(), title_justify="left", box=None, pad_edge=False)
        for name in ("searcher", "runs", "budget spent", "", "trials", "best search score"):
            table.add_column(name, justify="right" if name in ("trials", "runs") else "left")
        for name, row in self._rows.items():
            failed = f" [red]{len(row.failed)} failed[/red]" if row.failed else ""
            trials = sum(advance.num_trials for advance in row.advances.values())
            table.add_row(
                Text(name, "bold" if row.working else ""),
                f"{len(row.finished)}/{len(row.advances)}{failed}",
                ProgressBar(total=1.0, completed=row.share, width=24),
                f"{row.share:4.0%}",
                str(trials or ""),
                "" if row.best is None else f"{row.best:.4f}",
            )
        return table

    def _title(self) -> str:
        """Time passed and, from the pace so far, the time left."""
        done = self._share_complete()
        passed = f"{_clock(self._time_so_far_s)} passed"
        if done - self._done_before < 0.02:
            return f"{passed}; Ctrl-C is safe, the same command goes on"
        left = self._time_so_far_s * (1 - done) / (done - self._done_before)
        return f"{passed}, about {_clock(left)} left; Ctrl-C is safe, the same command goes on"

    def _share_complete(self) -> float:
        """Share of the whole comparison that is done."""
        total = sum(len(row.advances) for row in self._rows.values())
        return sum(row.share * len(row.advances) for row in self._rows.values()) / total

    @property
    def _time_so_far_s(self) -> float:
        return time.monotonic() - self._start_s


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
