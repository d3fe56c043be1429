"""What a person sees while a comparison runs, and what they are told at its end.

On a terminal a live table; elsewhere a plain line for each finished run.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from nasarena.experiments.cell import REFERENCES, Cell
from nasarena.experiments.workers import Progress
from nasarena.search.budget import Budget
from nasarena.search.errors import NasArenaError


@dataclass(slots=True)
class _Row:
    """One searcher's runs."""

    num_runs: int = 0
    num_done: int = 0
    fractions: dict[int, float] = field(default_factory=dict)  # seed -> share of budget spent
    best: float | None = None
    num_trials: dict[int, int] = field(default_factory=dict)
    num_troubles: int = 0


class Display:
    """Shows a comparison going on; a context manager around it."""

    def __init__(
        self, cells: Sequence[Cell], missing: Sequence[Cell], budget: Budget, folder: Path
    ) -> None:
        self._budget, self._folder = budget, folder
        self._console = Console()
        self._rows: dict[str, _Row] = {}
        self._started = time.monotonic()
        self._num_missing = len(missing)
        to_do = {cell.folder for cell in missing}
        for cell in cells:
            row = self._rows.setdefault(cell.searcher.name, _Row())
            row.num_runs += 1
            if cell.folder not in to_do:
                row.num_done += 1
                row.fractions[cell.seed] = 1.0
        self._live: Live | None = None

    def __enter__(self) -> Self:
        skipped = sum(row.num_done for row in self._rows.values())
        there = f", {skipped} were there already" if skipped else ""
        self._console.print(
            f"{self._num_missing} runs to do{there}; budget {self._budget.amount:.4g} "
            f"{self._budget.unit} each; {self._folder}"
        )
        if self._console.is_terminal and self._num_missing:
            self._live = Live(self._table(), console=self._console, refresh_per_second=4)
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

    def update(self, progress: Progress) -> None:
        """Take in what a worker said."""
        row = self._rows[progress.cell.searcher.name]
        seed = progress.cell.seed
        row.fractions[seed] = min(1.0, progress.spent / self._budget.amount)
        row.num_trials[seed] = progress.num_trials
        if progress.best is not None:
            row.best = progress.best if row.best is None else max(row.best, progress.best)
        if progress.state == "finished":
            row.num_done += 1
            row.fractions[seed] = 1.0
        elif progress.state != "running":
            row.num_troubles += 1
        if self._live is not None:
            self._live.update(self._table())
        elif progress.state != "running":
            best = "" if progress.best is None else f", best {progress.best:.4f}"
            count = sum(other.num_done + other.num_troubles for other in self._rows.values())
            total = sum(other.num_runs for other in self._rows.values())
            self._console.print(
                f"[{count}/{total}] {progress.cell.key}: {progress.state}, "
                f"{progress.num_trials} trials{best}, {self._elapsed():.0f} s",
                highlight=False,
                markup=False,
            )

    def conclude(self, troubles: Sequence[Progress], command: str, wall_s: float) -> int:
        """Write and print the conclusion; returns the exit code."""
        from nasarena.figures.comparison import write_all

        for progress in troubles:
            self._console.print(f"{progress.cell.key} {progress.state}: {progress.text.strip()}")
        try:
            conclusion = write_all(self._folder, command)
        except NasArenaError as error:
            self._console.print(f"nothing can be concluded: {error}")
            return 1
        table = Table(*[str(column) for column in conclusion.table.columns], box=None)
        for _, line in conclusion.table.iterrows():
            table.add_row(*[_cell_text(value) for value in line])
        self._console.print(table)
        for sentence in conclusion.verdict:
            self._console.print(sentence, highlight=False)
        minutes, seconds = divmod(round(wall_s), 60)
        report = self._folder / "report.html"
        self._console.print(f"{minutes} min {seconds} s; {report}", highlight=False)
        return 1 if conclusion.frames.runs.empty else 0

    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _table(self) -> Table:
        table = Table(title=self._title(), box=None, title_justify="left")
        for name in ("searcher", "runs", "budget spent", "", "trials", "best search score"):
            table.add_column(name)
        for name, row in self._rows.items():
            share = sum(row.fractions.values()) / row.num_runs
            if name == REFERENCES:
                share = row.num_done / row.num_runs
            trouble = f" [red]{row.num_troubles} failed[/red]" if row.num_troubles else ""
            table.add_row(
                name,
                f"{row.num_done}/{row.num_runs}{trouble}",
                ProgressBar(total=1.0, completed=share, width=24),
                f"{share:4.0%}",
                str(sum(row.num_trials.values()) or ""),
                "" if row.best is None else f"{row.best:.4f}",
            )
        return table

    def _title(self) -> str:
        """Share done and, from the pace so far, the time left."""
        done = sum(
            row.num_done if name == REFERENCES else sum(row.fractions.values())
            for name, row in self._rows.items()
        )
        total = sum(row.num_runs for row in self._rows.values())
        begun = total - self._num_missing
        elapsed = self._elapsed()
        if done - begun < 0.5:
            return f"{elapsed:.0f} s"
        left = elapsed * (total - done) / (done - begun)
        return f"{elapsed:.0f} s, about {left:.0f} s left (Ctrl-C keeps what is done)"


def _cell_text(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
