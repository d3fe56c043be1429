"""Figures of a large comparison drawn by all cores.

Each worker reads the runs and draws its share; what it draws does not depend on who draws it. For
few runs that costs more than it saves, for a worker has its imports to pay.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nasarena.experiments.execution.pool import Report, results
from nasarena.experiments.execution.workers import LocalPool, num_cores
from nasarena.search.run_folder import find_runs

if TYPE_CHECKING:
    from nasarena.figures.plots.figure_files import Source
    from nasarena.figures.plots.gallery import FigureSpec
    from nasarena.figures.report.conclusion import Drawing

_MANY_RUNS = 60


@dataclass(frozen=True, slots=True)
class Share:
    """A task for a worker: some figures of the comparison in `folder`, by name."""

    folder: Path
    command: str
    names: tuple[str, ...]

    def __call__(self, report: Report) -> None:
        from nasarena.figures.comparison import draw_only

        draw_only(self.folder, self.command, self.names)


def draw_by_all_cores(
    folder: Path, plates: Sequence["FigureSpec"], source: "Source", only: Collection[str] = ()
) -> list["Drawing"]:
    """As `draw_into`, with a worker for each core where there are many runs."""
    from nasarena.figures.comparison import draw_into
    from nasarena.figures.plots.figure_files import paths_of
    from nasarena.figures.report.conclusion import Drawing

    count = num_cores()
    if count == 1 or len(find_runs(folder.parent)) < _MANY_RUNS:
        return draw_into(folder, plates, source, only)
    names = [plate.name for plate in plates if not only or plate.name in only]
    shares = [Share(folder.parent, source.command, tuple(names[k::count])) for k in range(count)]
    results(shares, LocalPool(count))
    return [
        Drawing(plate.title, *paths_of(folder / plate.name))
        for plate in plates
        if plate.name in names
    ]
