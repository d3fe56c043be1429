"""Everything a comparison folder gets beside its runs: figures/, table.csv, report.md, report.html.

Read from run folders alone and written the same way each time, so that drawing again from the same
runs by the same command gives the same bytes.
"""

from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from nasarena.figures import anytime, budget, heatmap, ranking
from nasarena.figures.anchors import FILE_NAME, frozen_anchors
from nasarena.figures.conclusion import Conclusion, Drawing
from nasarena.figures.fairness import fairness
from nasarena.figures.frame import METERS, Frames, read_frames
from nasarena.figures.markdown import markdown
from nasarena.figures.report import render
from nasarena.figures.saving import Source, save_figure
from nasarena.figures.standings import Standings, deciding_scale, standings
from nasarena.figures.table import standings_table
from nasarena.figures.verdict import verdict
from nasarena.search.errors import NasArenaError


def write_all(folder: Path, command: str) -> Conclusion:
    """Draw and write all of it into `folder`, from the runs below it.

    `command` is what the user typed; it goes into the metadata of every figure. Raises
    NasArenaError where the runs cannot be compared or the folder cannot be written.
    """
    frames = read_frames(folder)
    source = Source(command, frames.data_hash)
    try:
        anchors = frozen_anchors(frames, folder / FILE_NAME)
        standing = standings(frames, deciding_scale(frames, anchors))
        (folder / "figures").mkdir(exist_ok=True)
        conclusion = Conclusion(
            frames=frames,
            standings=standing,
            verdict=verdict(frames, standing),
            fairness=fairness(frames),
            table=standings_table(frames, standing),
            drawings=[
                Drawing(title, *save_figure(figure, folder / "figures" / name, title, source))
                for name, title, figure in _figures(frames, standing)
            ],
            source=source,
        )
        conclusion.table.to_csv(
            folder / "table.csv", index=False, float_format="%.6g", lineterminator="\n"
        )
        (folder / "report.md").write_text(markdown(conclusion), encoding="utf-8")
        (folder / "report.html").write_text(render(conclusion), encoding="utf-8")
    except OSError as error:
        raise NasArenaError(f"cannot write into {folder}: {error.strerror}") from error
    return conclusion


def _figures(frames: Frames, standing: Standings) -> Iterator[tuple[str, str, Figure]]:
    """File name, title and figure, one at a time: a drawn figure holds much memory."""
    yield "ranking", "Final ranking", ranking.draw(frames, standing)
    yield "anytime", "Best score found so far", anytime.draw(frames)
    for meter in ("trials", "measured_seconds"):
        if meter != frames.unit and frames.trials[meter].sum() > 0:
            title = f"Best score found so far, against {METERS[meter].label}"
            yield f"anytime-{meter}", title, anytime.draw(frames, meter)
    yield "budget", "What the budget was spent on", budget.draw(frames)
    yield "heatmap", "Which layer kind stands where", heatmap.draw(frames)
