"""The consoles that commands print on, and their progress bars."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress_bar import ProgressBar

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


@contextmanager
def timed_bar(console: Console, what: str, expected_s: float) -> Iterator[None]:
    """While the context lasts, a bar by the clock: for work that says nothing until it is done.

    `expected_s` is what such work took before. Where there is no terminal, a line says it.
    """
    console.print(f"{what}: about {expected_s:.0f} s", soft_wrap=True)
    columns = (TextColumn("{task.description}"), _ClockBar(), _ClockText())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        bar.add_task(what, total=expected_s)
        yield


class _ClockBar(ProgressColumn):
    """Full when the expected time has passed."""

    def render(self, task: Task) -> ProgressBar:
        return ProgressBar(task.total, min(task.elapsed or 0.0, task.total or 0.0), width=40)


class _ClockText(ProgressColumn):
    """Seconds so far, and those that are left if all goes as before."""

    def render(self, task: Task) -> str:
        past_s, expected_s = task.elapsed or 0.0, task.total or 0.0
        left = f"{expected_s - past_s:.0f} s left" if past_s < expected_s else "longer than usual"
        return f"{past_s:.0f} s, {left}"
