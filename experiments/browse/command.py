"""`nasarena browse`: an index of all results as a page, or two comparisons side by side.

nasarena browse              what lies in runs/ and audits/, into runs/browse.html
nasarena browse FOLDER       what lies below a folder
nasarena browse A B          two comparisons, into A-against-B.html beside the first
"""

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from nasarena.experiments.execution.console import make_console
from nasarena.search.errors import InvalidSetting

_DEFAULTS = ("runs", "audits")  # where compare, design and scale write, and where audit does


def browse(arguments: Sequence[str]) -> int:
    """Write the page and say where it is; 0."""
    from nasarena.figures.browse.render import write_difference, write_index

    folders = _folders(arguments)
    console = make_console()
    if len(folders) == 2 and arguments:
        page, found = write_difference(*folders)
        words = found.in_words
    else:
        page, count = write_index(folders, folders[0])
        words = f"{count} results"
    console.print(words, markup=False)
    console.print(f"[bold]{escape(str(page))}[/bold]", soft_wrap=True)
    return 0


def _folders(arguments: Sequence[str]) -> list[Path]:
    """The folders asked for, else those that are there by default."""
    if len(arguments) > 2:
        raise InvalidSetting(
            f"nasarena browse takes one folder, or two comparisons, got {len(arguments)} arguments"
        )
    wanted = [Path(argument) for argument in arguments]
    if not wanted:
        wanted = [Path(name) for name in _DEFAULTS if Path(name).is_dir()]
        if not wanted:
            raise InvalidSetting("a folder of runs is expected, there is no folder 'runs' here")
    for folder in wanted:
        if not folder.is_dir():
            raise InvalidSetting(
                f"a folder of runs is expected, there is no folder {str(folder)!r}"
            )
    return wanted
