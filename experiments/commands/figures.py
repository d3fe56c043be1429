"""`nasarena figures DIR` and `nasarena report DIR`: everything drawn again from run folders.

`nasarena figures --check DIR` draws into a folder of its own, compares, and changes nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from nasarena.experiments.execution.console import make_console
from nasarena.experiments.execution.parallel_drawing import draw_by_all_cores
from nasarena.experiments.execution.provenance import command_line
from nasarena.search.errors import InvalidSetting
from nasarena.search.untrusted.one_line import one_line

if TYPE_CHECKING:
    from nasarena.figures.report.conclusion import Conclusion
    from nasarena.figures.suite.report import SuiteConclusion

CHECK = "--check"


def figures(arguments: Sequence[str]) -> int:
    """Draw all figures again and say where they are; with `--check` compare, 1 if one differs."""
    if CHECK in arguments:
        return _check([argument for argument in arguments if argument != CHECK])
    folder = existing_folder("figures", arguments)
    console = make_console()
    for drawing in _write_all(folder, command_line(["figures", *arguments])).drawings:
        console.print(f"{drawing.title}: {drawing.png}", markup=False, soft_wrap=True)
    return 0


def _check(arguments: Sequence[str]) -> int:
    from nasarena.figures.check import check_figures

    checked = check_figures(existing_folder("figures --check", arguments))
    console = make_console()
    faults = [each for each in checked if each.fault]
    for each in faults:
        console.print(f"{each.file}: {each.fault}", markup=False, soft_wrap=True)
    console.print(f"{len(checked) - len(faults)} of {len(checked)} files are as their runs say")
    return 1 if faults else 0


def report(arguments: Sequence[str]) -> int:
    """Write the report again and print the verdict and where it is."""
    folder = existing_folder("report", arguments)
    console = make_console()
    for sentence in _write_all(folder, command_line(["report", *arguments])).verdict:
        console.print(one_line(sentence), markup=False)
    console.print(f"[bold]{escape(str(folder / 'report.html'))}[/bold]", soft_wrap=True)
    return 0


def existing_folder(command: str, arguments: Sequence[str]) -> Path:
    """The one folder that a command was given."""
    if len(arguments) != 1:
        raise InvalidSetting(
            f"nasarena {command} takes one folder, such as runs/<comparison>, "
            f"got {len(arguments)} arguments"
        )
    folder = Path(arguments[0])
    if not folder.is_dir():
        raise InvalidSetting(f"a folder of runs is expected, there is no folder {str(folder)!r}")
    return folder


def _write_all(folder: Path, command: str) -> "Conclusion | SuiteConclusion":
    from nasarena.figures.comparison import write_all
    from nasarena.figures.suite.report import write_suite
    from nasarena.figures.suite.results import is_suite, read_suite

    if is_suite(folder):
        return write_suite(folder, read_suite(folder), command)

    return write_all(folder, command, drawer=draw_by_all_cores)
