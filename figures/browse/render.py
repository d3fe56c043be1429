"""The index of results and the difference of two comparisons as pages: one file each, no network.

Links are relative to where the page lies, so that the folders can be moved together.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from nasarena.figures.browse.difference import Difference, compare_folders
from nasarena.figures.browse.folders import Entry, find_entries
from nasarena.figures.report.render import environment_of, policy_hash, read_page
from nasarena.search.errors import NasArenaError, RunFolderRefused
from nasarena.search.untrusted.drafts import replace_text
from nasarena.search.untrusted.one_line import one_line

INDEX = "browse.html"
_PAGE = Path(__file__).parent / "page"


def write_index(folders: Sequence[Path], out: Path) -> tuple[Path, int]:
    """Write the index of everything below the folders into `out`; the page, and how many it has.

    Raises RunFolderRefused where there is nothing, NasArenaError where `out` cannot be written.
    """
    entries = [entry for folder in folders for entry in find_entries(folder)]
    if not entries:
        names = " and ".join(map(str, folders))
        raise RunFolderRefused(
            f"nothing to browse in {names}; nasarena compare and nasarena audit write results"
        )
    entries.sort(key=lambda entry: entry.date, reverse=True)
    return _write(out / INDEX, render_index(entries, folders, out)), len(entries)


def write_difference(left: Path, right: Path) -> tuple[Path, Difference]:
    """Write the page of two comparisons beside the first."""
    found = compare_folders(left, right)
    out = left.resolve().parent
    name = f"{left.resolve().name}-against-{right.resolve().name}.html"
    return _write(out / name, render_difference(found, out)), found


def render_index(entries: Sequence[Entry], folders: Sequence[Path], out: Path) -> str:
    """The text of the index; `out` is the folder that it will lie in."""
    rows = [
        {
            "entry": entry,
            "name": _name(entry.path, folders),
            "pages": [(name, link(entry.path / name, out)) for name in entry.pages],
            "size": size_in_words(entry.size_bytes),
            "when": when(entry.date),
        }
        for entry in entries
    ]
    return _render(
        "browse.html.jinja",
        title=" and ".join(one_line(folder) for folder in folders),
        rows=rows,
        kinds=sorted({entry.kind for entry in entries}),
    )


def render_difference(found: Difference, out: Path) -> str:
    """The text of the page of two comparisons."""
    sides = [
        {
            "side": side,
            "link": link(side.entry.path / side.entry.pages[0], out) if side.entry.pages else "",
            "when": when(side.entry.date),
            "size": size_in_words(side.entry.size_bytes),
        }
        for side in (found.left, found.right)
    ]
    return _render("difference.html.jinja", found=found, sides=sides)


def _render(template: str, **values: object) -> str:
    style = read_page("report.css") + (_PAGE / "browse.css").read_text(encoding="utf-8")
    script = (_PAGE / "browse.js").read_text(encoding="utf-8")
    return (
        environment_of("nasarena.figures.browse")
        .get_template(template)
        .render(
            style=style,
            script=script,
            style_hash=policy_hash(style),
            script_hash=policy_hash(script),
            **values,
        )
    )


def link(file: Path, out: Path) -> str:
    """The address of a file on a page in `out`: a path, whatever its names look like."""
    return quote(f"./{os.path.relpath(file, out)}")


def when(date: str) -> str:
    """A date as it is shown: to the minute, as the runs noted it."""
    return date[:16].replace("T", " ")


def size_in_words(size_bytes: int) -> str:
    """Bytes with the unit that leaves a number of one to four digits."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def _name(path: Path, folders: Sequence[Path]) -> str:
    """Below the folder that was asked for; its own name where it is that folder."""
    for folder in folders:
        if path.is_relative_to(folder) and path != folder:
            return one_line(path.relative_to(folder))
    return one_line(path.resolve().name)


def _write(file: Path, text: str) -> Path:
    try:
        replace_text(file, text)
    except OSError as error:
        raise NasArenaError(f"cannot write {file}: {error.strerror}") from error
    return file
