"""`nasarena figures --check`: is every figure what its runs would give today?

All of them are drawn again, beside, with the command that their metadata names, and compared byte
by byte. Nothing in the folder is touched. Other versions of matplotlib or its fonts draw other
bytes; then the check says so, and drawing again settles it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from nasarena.figures.comparison import draw_into
from nasarena.figures.plots.figure_files import SUFFIXES, Source
from nasarena.figures.results.analysis import analyze
from nasarena.figures.suite import report
from nasarena.figures.suite.results import is_suite, read_suite
from nasarena.search.errors import NasArenaError


@dataclass(frozen=True, slots=True)
class Checked:
    """One file and what is wrong with it; an empty `fault` if it is as it should be."""

    file: Path
    fault: str


def check_figures(folder: Path) -> list[Checked]:
    """Every figure of a comparison, drawn again and compared, in order of its name.

    Raises NasArenaError where there is no figure, or the runs cannot be compared.
    """
    kept = sorted(path for path in (folder / "figures").glob("*") if path.suffix in SUFFIXES)
    if not kept:
        raise NasArenaError(f"{folder} has no figures to check; draw them: nasarena figures DIR")
    data_hash, draw = _what_to_draw(folder)
    command, data = read_source(kept)
    if data != f"data {data_hash}":
        words = f"drawn from other runs ({data}, the runs here are data {data_hash})"
        return [Checked(path, words) for path in kept]
    with TemporaryDirectory() as fresh:
        draw(Path(fresh), Source(command, data_hash))
        return list(_compare(folder / "figures", Path(fresh), kept))


def _what_to_draw(folder: Path) -> tuple[str, Callable[[Path, Source], object]]:
    """The hash of what was read, and what draws all of its figures into a folder."""
    if is_suite(folder):
        results = read_suite(folder)
        return report.data_hash(results), partial(report.draw_into, results)
    analysis = analyze(folder)
    return analysis.tables.data_hash, partial(draw_into, analysis)


def read_source(files: list[Path]) -> tuple[str, str]:
    """The command and the data in the metadata of the first PNG; empty where it has none."""
    for file in files:
        if file.suffix == ".png":
            with Image.open(file) as image:
                return str(image.info.get("Source", "")), str(image.info.get("Identifier", ""))
    return "", ""


def _compare(folder: Path, fresh: Path, kept: list[Path]) -> Iterator[Checked]:
    expected = {path.name for path in fresh.iterdir()}
    for path in kept:
        if path.name not in expected:
            yield Checked(path, "nothing draws it any more")
        elif path.read_bytes() != (fresh / path.name).read_bytes():
            yield Checked(path, "differs when it is drawn again")
        else:
            yield Checked(path, "")
    for name in sorted(expected - {path.name for path in kept}):
        yield Checked(folder / name, "missing")
