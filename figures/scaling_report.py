"""Figures, `scaling.md`, `laws.csv` and `report.html` from losses at scale, ours or published.

    python -m nasarena.figures.scaling_report runs/NAME/scale.csv OUT
    python -m nasarena.figures.scaling_report published.csv OUT --counted all --reference Llama

`nasarena.figures.results.scaling` says what the table holds, `--scores` what ranks architectures
(`nasarena.figures.results.ladder`).
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from nasarena.figures.plots.figure_files import Source, save_figure
from nasarena.figures.report.conclusion import Drawing
from nasarena.figures.report.markdown import escape
from nasarena.figures.results.ladder import Ladder, climb, read_scores
from nasarena.figures.results.scaling import Counted, read_scaling
from nasarena.figures.results.scaling_grid import read_grid
from nasarena.figures.results.scaling_study import ScalingOptions, ScalingStudy, study
from nasarena.figures.scaling import (
    frontier_figure,
    isoflop_figure,
    isotoken_figure,
    transfer_figure,
)
from nasarena.figures.scaling.blocks import Section, to_markdown
from nasarena.figures.scaling.laws_table import laws_table
from nasarena.figures.scaling.matched import matched_section, provenance_section
from nasarena.figures.scaling.page_of_report import render
from nasarena.figures.scaling.words import headline, sections
from nasarena.figures.stats.scaling_intervals import NUM_REPEATS
from nasarena.figures.stats.scaling_law import Noise, Sharing
from nasarena.search.errors import NasArenaError
from nasarena.search.untrusted.drafts import make_subfolder, replace_text


def write_scaling(
    path: Path,
    out: Path,
    command: str,
    counted: Counted = "matrices",
    options: ScalingOptions | None = None,
    reference: str | None = None,
    scores: Path | None = None,
) -> list[Path]:
    """Write all of it into `out` and return the files.

    Raises NasArenaError (one line) for a table that cannot be read, or a folder not to be written.
    """
    table, facts = read_scaling(path, counted), read_grid(path)
    found = study(table, options, reference)
    ladder = climb(table, read_scores(scores, table.labels) if scores else None)
    source = Source(command, table.data_hash)
    told = [matched_section(table, facts), *sections(found, ladder)]
    made = provenance_section(facts, source)
    rows = laws_table(found).to_csv(index=False, float_format="%.6g", lineterminator="\n")
    try:
        out.mkdir(parents=True, exist_ok=True)
        make_subfolder(out, "figures")
        drawings = _draw(found, ladder, out / "figures", source)
        replace_text(out / "laws.csv", rows)
        replace_text(
            out / "scaling.md", _markdown(table.name, headline(found, ladder), told, source)
        )
        page = render(table, headline(found, ladder), [*told, made], drawings)
        replace_text(out / "report.html", page)
    except OSError as error:
        raise NasArenaError(f"cannot write into {out}: {error.strerror}") from error
    figures = [file for each in drawings.values() for file in (each.png, each.svg, each.pdf)]
    return [*figures, *(out / name for name in ("laws.csv", "scaling.md", "report.html"))]


def _draw(found: ScalingStudy, ladder: Ladder, folder: Path, source: Source) -> dict[str, Drawing]:
    """The figures by name."""
    ground = isoflop_figure.ground(found)
    made = {
        "isoflop": (isoflop_figure.TITLE, isoflop_figure.draw(found)),
        "frontier": (frontier_figure.TITLE, frontier_figure.draw(found)),
        "isotoken": (isotoken_figure.TITLE, isotoken_figure.draw(found)),
        "transfer": (transfer_figure.TITLE, transfer_figure.draw(ladder, ground)),
    }
    return {
        name: Drawing(title, *save_figure(figure, folder / name, title, source))
        for name, (title, figure) in made.items()
    }


def _markdown(name: str, first: str, told: Sequence[Section], source: Source) -> str:
    lines = [f"# Scaling of {escape(name)}", "", f"**{escape(first)}**", "", *to_markdown(told)]
    lines += [f"Command: `{source.command}`  ", f"Data: {source.data_hash}"]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """The exit code: 2, and one line, for what a user can cause."""
    given = _parser().parse_args(arguments)
    options = ScalingOptions(given.sharing, given.noise, not given.budgets_apart, given.repeats)
    command = shlex.join(["python", "-m", "nasarena.figures.scaling_report", *arguments])
    try:
        files = write_scaling(
            given.table, given.out, command, given.counted, options, given.reference, given.scores
        )
    except NasArenaError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(map(str, files)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nasarena.figures.scaling_report", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("table", type=Path, help="CSV of losses, or a folder with scale.csv")
    parser.add_argument("out", type=Path, help="folder to write into")
    parser.add_argument(
        "--counted", default="matrices", choices=get_args(Counted), help="which parameters are N"
    )
    parser.add_argument(
        "--sharing", default="floor", choices=get_args(Sharing), help="what the laws share"
    )
    parser.add_argument(
        "--noise",
        default="equal",
        choices=get_args(Noise),
        help="equal in nats, relative to the loss, or relative with outliers (Huber)",
    )
    parser.add_argument(
        "--budgets-apart", action="store_true", help="every budget was a training of its own"
    )
    parser.add_argument("--repeats", type=int, default=NUM_REPEATS, help="of the bootstrap")
    parser.add_argument("--reference", help="label that all are compared with at equal tokens")
    parser.add_argument("--scores", type=Path, help="CSV with label, scorer, score")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
