"""The consoles that commands print on, and their progress bar."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_PLAIN_WIDTH = 160  # where there is no terminal to ask, in a file or a pipe


def make_console(stderr: bool = False) -> Console:
    """A console on stdout or stderr that does not fold lines where nobody's screen is."""
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, _PLAIN_WIDTH)
    return console


def progress_bar(console: Console) -> Progress:
    """Done, all and time left; shown on a terminal only and gone when done."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
