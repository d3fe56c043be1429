"""The command line: `nasarena COMMAND key=value ...`.

What a user can cause ends in one line and exit code 2; a fault of ours keeps its traceback. Every
command is imported when it is called, so that `nasarena --help` answers at once.
"""

import sys
from collections.abc import Callable, Sequence

from nasarena.search.errors import NasArenaError

COMMANDS = {
    "compare": "every searcher x seed under one budget, ranked; the main job",
    "run": "one run",
    "evaluate": "PATTERN... train and score patterns",
    "audit": "how far a proxy can be trusted",
    "figures": "DIR redraw everything from run folders",
    "report": "DIR write report.md and report.html again",
    "check": "FILE:NAME does a searcher of yours keep the contract?",
    "status": "DIR which runs are finished, partial, failed, missing",
    "doctor": "what this machine can do",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _main(arguments)
    except NasArenaError as error:
        print(f"nasarena: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "\nnasarena: stopped; what is done is kept, and the same command goes on from there",
            file=sys.stderr,
        )
        return 130


def _main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if arguments[0] == "--version":
        from importlib.metadata import version

        print(version("nasarena"))
        return 0
    command, rest = arguments[0], arguments[1:]
    if command not in COMMANDS:
        from difflib import get_close_matches

        near = ", ".join(get_close_matches(command, COMMANDS, n=3) or COMMANDS)
        raise NasArenaError(f"no command is called {command!r}; did you mean {near}?")
    if "-h" in rest or "--help" in rest:
        from nasarena.experiments.helptext import help_text

        print(help_text(command, COMMANDS[command]))
        return 0
    return _command(command)(rest)


def _command(name: str) -> Callable[[Sequence[str]], int]:
    from nasarena.experiments import commands

    function: Callable[[Sequence[str]], int] = getattr(commands, name)
    return function


def _overview() -> str:
    lines = [f"  {name:10}{text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "nasarena: searchers of architectures, compared on one metered training budget",
            "",
            "usage: nasarena COMMAND [key=value ...]",
            "",
            *lines,
            "",
            "nasarena COMMAND --help explains every setting. Ctrl-C is safe: the same command",
            "goes on where it stopped.",
        ]
    )
