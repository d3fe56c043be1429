"""Everything a comparison folder gets beside its runs: figures/, table.csv, report.md, report.html.

Read from run folders alone and written the same way each time, so that drawing again from the same
runs by the same command gives the same bytes. What is frozen at the first time is `anchors.json`.
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from nasarena.figures.plots.figure_files import Source, save_figure
from nasarena.figures.plots.gallery import FigureSpec, gallery
from nasarena.figures.report.conclusion import Conclusion, Drawing
from nasarena.figures.report.fairness import fairness
from nasarena.figures.report.markdown import markdown
from nasarena.figures.report.render import render
from nasarena.figures.report.table import standings_table
from nasarena.figures.report.verdict import verdict
from nasarena.figures.results.anchors import FILE_NAME, Anchors, load_or_freeze_anchors
from nasarena.figures.results.standings import Standings, deciding_scale, standings
from nasarena.figures.results.tables import Tables, read_frames
from nasarena.search.errors import NasArenaError

Drawer = Callable[[Path, Sequence[FigureSpec], Source, Collection[str]], list[Drawing]]


def write_all(
    folder: Path,
    command: str,
    only: Collection[str] = (),
    draws: bool = True,
    drawer: Drawer | None = None,
) -> Conclusion:
    """Draw and write all of it into `folder`, from the runs below it.

    `command` is what the user typed; it goes into the metadata of every figure. `only`
    names the figures to draw, by default all; without `draws` there are the tables and the
    verdict alone. `drawer` draws as `draw_into` does, faster. Raises NasArenaError where the
    runs cannot be compared or the folder cannot be written.
    """
    frames = read_frames(folder)
    source = Source(command, frames.data_hash)
    try:
        if draws:
            (folder / "figures").mkdir(exist_ok=True)
        anchors, standing, plates = _prepare(frames, folder)
        draw = drawer or draw_into
        conclusion = Conclusion(
            frames=frames,
            standings=standing,
            verdict=verdict(frames, standing),
            fairness=fairness(frames),
            table=standings_table(frames, standing, anchors),
            drawings=draw(folder / "figures", plates, source, only) if draws else [],
            source=source,
        )
        conclusion.table.to_csv(
            folder / "table.csv", index=False, float_format="%.6g", lineterminator="\n"
        )
        (folder / "report.md").write_text(markdown(conclusion), encoding="utf-8")
        if draws:
            (folder / "report.html").write_text(render(conclusion, folder), encoding="utf-8")
    except OSError as error:
        raise NasArenaError(f"cannot write into {folder}: {error.strerror}") from error
    return conclusion


def draw_only(folder: Path, command: str, names: Collection[str]) -> None:
    """Draw the figures of these names as `write_all` would, and write nothing else."""
    frames = read_frames(folder)
    _, _, plates = _prepare(frames, folder)
    draw_into(folder / "figures", plates, Source(command, frames.data_hash), names)


def _prepare(frames: Tables, folder: Path) -> tuple[Anchors | None, Standings, list[FigureSpec]]:
    """What every figure is drawn from, and all figures, not drawn yet."""
    anchors = load_or_freeze_anchors(frames, folder / FILE_NAME)
    standing = standings(frames, deciding_scale(frames, anchors))
    return anchors, standing, gallery(frames, standing, anchors)


def draw_into(
    folder: Path, plates: Sequence[FigureSpec], source: Source, only: Collection[str] = ()
) -> list[Drawing]:
    """Save figures in all formats into `folder`, which must exist; one at a time in memory."""
    return [
        Drawing(plate.title, *save_figure(plate.draw(), folder / plate.name, plate.title, source))
        for plate in plates
        if not only or plate.name in only
    ]
