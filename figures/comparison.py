"""Everything a comparison folder gets beside its runs: figures/, table.csv, report.md, report.html.

Read from run folders alone and written the same way each time, so that drawing again from the same
runs by the same command gives the same bytes. What is frozen at the first time is `anchors.json`.
"""

from collections.abc import Callable, Collection
from pathlib import Path

from nasarena.figures.plots.figure_files import Source, save_figure
from nasarena.figures.plots.gallery import gallery
from nasarena.figures.report.conclusion import Conclusion, Drawing
from nasarena.figures.report.fairness import fairness
from nasarena.figures.report.markdown import markdown
from nasarena.figures.report.render import render
from nasarena.figures.report.table import standings_table
from nasarena.figures.report.verdict import verdict
from nasarena.figures.results.analysis import Analysis, analyze
from nasarena.figures.results.anchors import FILE_NAME, freeze_anchors
from nasarena.search.errors import NasArenaError
from nasarena.search.untrusted.drafts import make_subfolder, replace_text

Drawer = Callable[[Analysis, Path, Source, Collection[str]], list[Drawing]]


def write_all(
    folder: Path,
    command: str,
    only: Collection[str] = (),
    draws: bool = True,
    drawer: Drawer | None = None,
    analysis: Analysis | None = None,
) -> Conclusion:
    """Draw and write all of it into `folder`, from the runs below it.

    `command` is what the user typed; it goes into the metadata of every figure. `only` names the
    figures to draw, by default all; without `draws` there are the tables and the verdict alone.
    `drawer` draws as `draw_into` does, faster. `analysis` is that of the folder, where it was
    worked out before. Raises NasArenaError where the runs cannot be compared or the folder cannot
    be written.
    """
    analysis = analysis or analyze(folder)
    source = Source(command, analysis.tables.data_hash)
    draw = drawer or draw_into
    try:
        if draws:
            make_subfolder(folder, "figures")
        if analysis.anchors is not None:
            freeze_anchors(analysis.anchors, folder / FILE_NAME)
        conclusion = Conclusion(
            analysis=analysis,
            verdict=verdict(analysis),
            fairness=fairness(analysis),
            table=standings_table(analysis),
            drawings=draw(analysis, folder / "figures", source, only) if draws else [],
            source=source,
        )
        _write(conclusion, folder, draws)
    except OSError as error:
        raise NasArenaError(f"cannot write into {folder}: {error.strerror}") from error
    return conclusion


def _write(conclusion: Conclusion, folder: Path, draws: bool) -> None:
    table = conclusion.table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    replace_text(folder / "table.csv", table)
    replace_text(folder / "report.md", markdown(conclusion))
    if draws:
        replace_text(folder / "report.html", render(conclusion))


def draw_into(
    analysis: Analysis, folder: Path, source: Source, only: Collection[str] = ()
) -> list[Drawing]:
    """Save figures in all formats into `folder`, which must exist; one at a time in memory."""
    return [
        Drawing(
            each.title, *save_figure(each.draw(analysis), folder / each.name, each.title, source)
        )
        for each in gallery(analysis)
        if not only or each.name in only
    ]
