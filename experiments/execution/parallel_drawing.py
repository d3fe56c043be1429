"""Figures of a large comparison drawn by all cores.

Each worker works out the comparison once and draws its share; what it draws does not depend on who
draws it. For few runs that costs more than it saves, for a worker has its imports to pay.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nasarena.experiments.execution.pool import Report, results
from nasarena.experiments.execution.workers import LocalPool
from nasarena.search.machine import num_cores

if TYPE_CHECKING:
    from nasarena.figures.plots.figure_files import Source
    from nasarena.figures.report.conclusion import Drawing
    from nasarena.figures.results.analysis import Analysis

_MANY_RUNS = 60


@dataclass(frozen=True, slots=True)
class Share:
    """A task for a worker: some figures of the comparison in `folder`, by name."""

    folder: Path
    source: "Source"
    names: tuple[str, ...]

    def __call__(self, report: Report) -> None:
        from nasarena.figures.comparison import draw_into
        from nasarena.figures.results.analysis import analyze

        draw_into(analyze(self.folder), self.folder / "figures", self.source, self.names)


def draw_by_all_cores(
    analysis: "Analysis", folder: Path, source: "Source", only: Collection[str] = ()
) -> list["Drawing"]:
    """As `draw_into`, with a worker for each core where there are many runs."""
    from nasarena.figures.comparison import draw_into
    from nasarena.figures.plots.figure_files import paths_of
    from nasarena.figures.plots.gallery import gallery
    from nasarena.figures.report.conclusion import Drawing

    num_workers = num_cores()
    if num_workers == 1 or len(analysis.runs) < _MANY_RUNS:
        return draw_into(analysis, folder, source, only)
    figures = [each for each in gallery(analysis) if not only or each.name in only]
    names = [each.name for each in figures]
    count = min(num_workers, len(names))  # no share is empty: that would mean every figure
    shares = [Share(folder.parent, source, tuple(names[k::count])) for k in range(count)]
    results(shares, LocalPool(count))
    return [Drawing(each.title, *paths_of(folder / each.name)) for each in figures]
