"""The command line: `nasarena COMMAND [key=value ...]`.

What a user can cause ends in one line on stderr and exit code 2; a fault of ours keeps its
traceback. A command's module is imported when it is called, so that `nasarena --help` is fast.
"""

import errno
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

from nasarena.experiments.execution.provenance import command_line
from nasarena.search.errors import InvalidSetting, NasArenaError
from nasarena.search.machine import default_to_one_thread
from nasarena.search.untrusted.one_line import one_line


@dataclass(frozen=True, slots=True)
class Command:
    """`place` is module:function, of this folder or with its whole name; it is called with the
    arguments and answers the exit code.

    `has_settings`: it takes key=value. `one_thread`: it works with many small matrices, on which
    the threads of a linear algebra library mostly wait for one another.
    """

    place: str
    usage: str
    summary: str
    has_settings: bool = False
    one_thread: bool = False


COMMANDS = {
    "compare": Command(
        "compare:compare",
        "[key=value ...]",
        "the main job: every searcher x seed under one budget, with table, figures and report",
        has_settings=True,
    ),
    "run": Command("compare:run", "[key=value ...]", "one run", has_settings=True),
    "evaluate": Command(
        "evaluate:evaluate", "PATTERN... [key=value ...]", "train and score patterns", True
    ),
    "audit": Command(
        "audit:audit",
        "[key=value ...]",
        "how far a proxy can be trusted: noise against signal, rank agreement across seeds",
        has_settings=True,
    ),
    "aggregate": Command(
        "aggregate:aggregate",
        "DIR... [key=value ...]",
        "one pattern of all finalists, by Composer's rule and its rivals, each scored",
        has_settings=True,
        one_thread=True,
    ),
    "scale": Command(
        "scale:scale",
        "[key=value ...]",
        "train patterns at several sizes and budgets: isoToken, isoFLOP, does the ranking hold?",
        has_settings=True,
        one_thread=True,
    ),
    "design": Command(
        "nasarena.experiments.design.command:design",
        "[key=value ...]",
        "search training scripts: every searcher on the same edits, ranked; what the winner owes",
        has_settings=True,
    ),
    "figures": Command(
        "figures:figures",
        "[--check] DIR",
        "draw everything again from the run folders of a comparison; --check compares instead",
    ),
    "report": Command(
        "figures:report", "DIR", "write report.html and report.md of a comparison again"
    ),
    "browse": Command(
        "nasarena.experiments.browse.command:browse",
        "[FOLDER | COMPARISON COMPARISON]",
        "one page over all results in runs/ and audits/, or two comparisons side by side",
    ),
    "export": Command(
        "exchange:export",
        "RUNS to=TOOL [out=PLACE] | CHECKPOINT DIR [tokenizer=FILE]",
        "runs for other tools; a model trained at scale as a checkpoint for transformers and vLLM",
        has_settings=True,
    ),
    "import": Command(
        "exchange:import_study",
        "STORAGE [key=value ...]",
        "the trials of an Optuna study as a run, to be compared and reported like any other",
        has_settings=True,
    ),
    "downstream": Command(
        "saved_models:downstream",
        "CHECKPOINT [key=value ...]",
        "accuracy of a model trained at scale on six tasks, against chance, and bits per byte",
        has_settings=True,
    ),
    "inference": Command(
        "saved_models:inference",
        "CHECKPOINT... [key=value ...]",
        "speed and memory of models trained at scale when they read and write text",
        has_settings=True,
    ),
    "serve": Command(
        "serve:serve",
        "MODEL [key=value ...] | --install [FOLDER]",
        "a vLLM server for the agents, until Ctrl-C; --install builds vLLM's environment",
        has_settings=True,
    ),
    "model": Command(
        "serve:model",
        "NAME [--yes] [--gguf] [--sha256=HEX]",
        "make a language model ready to be served: a packaged one, a GGUF file or a folder",
    ),
    "check": Command(
        "check:check",
        "FILE:NAME [key=value ...]",
        "does a searcher of yours (or proxy=FILE:NAME) keep the contract? in under a minute",
        has_settings=True,
    ),
    "status": Command(
        "status:status", "[DIR]", "which runs are finished, partial, failed or missing"
    ),
    "doctor": Command(
        "doctor:doctor",
        "[escapes=true]",
        "what this machine can do, and what a sandbox holds on it",
    ),
}


# What the world outside refuses: room, rights, names. Any other OSError is a fault of ours.
_OUTSIDE = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EISDIR,
    errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EMFILE, errno.ENFILE,
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 1 for a negative verdict, 2, 130 for Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _main(arguments)
        if sys.stdout is not None:  # as `>&-` leaves it
            sys.stdout.flush()
        return code
    except NasArenaError as error:
        print(f"nasarena: {one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            f"\nnasarena: stopped, every settled trial is kept; the same command goes on: "
            f"{command_line(arguments)}",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as `nasarena --help | head` does
        _drop_output()
        return 0
    except OSError as error:
        if error.errno not in _OUTSIDE:
            raise
        _drop_output()
        where = f": {error.filename}" if error.filename else ""
        print(f"nasarena: {one_line(error.strerror)}{one_line(where)}", file=sys.stderr)
        return 2


def _drop_output() -> None:
    """What is still to be written goes nowhere: it would be tried once more at the end."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _main(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if arguments[0] == "--version":
        from importlib.metadata import version

        print(version("nasarena"))
        return 0
    name, rest = arguments[0], list(arguments[1:])
    if name not in COMMANDS:
        from difflib import get_close_matches

        near = get_close_matches(name, COMMANDS, n=2) or list(COMMANDS)
        raise InvalidSetting(f"no command is called {name!r}; there is {', '.join(near)}")
    command = COMMANDS[name]
    if "-h" in rest or "--help" in rest:
        from nasarena.experiments.settings.manual import manual

        chosen = rest if command.has_settings else None
        print(manual(name, command.usage, command.summary, chosen))
        return 0
    if command.one_thread:
        default_to_one_thread()  # before the library is loaded
    module, _, function = command.place.partition(":")
    place = module if "." in module else f"nasarena.experiments.commands.{module}"
    execute: Callable[[list[str]], int] = getattr(import_module(place), function)
    return execute(rest)


def _overview() -> str:
    lines = [f"  {name:11}{command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "Searchers of layer patterns, classical and agentic, on one metered training budget.",
            "",
            "usage: nasarena COMMAND [key=value ...]",
            "",
            *lines,
            "",
            "nasarena COMMAND --help explains every setting of a command, for example",
            "  nasarena compare proxy=additive searchers=[random,evolution] seeds=8 "
            "budget.patterns=100",
            "Ctrl-C is safe: the same command goes on where it stopped.",
        ]
    )
