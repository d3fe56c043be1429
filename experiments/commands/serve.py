"""`nasarena serve MODEL`: a vLLM server for the agents, in the foreground until Ctrl-C.

`nasarena serve --install` builds the environment that it needs: 3 minutes, 3.5 GB, once.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console

from nasarena.agents.llm.errors import VllmFailed
from nasarena.agents.llm.server import ADDRESS, ENVIRONMENT, ServerSettings, VllmServer
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.settings.commands import serve_settings
from nasarena.search.errors import InvalidSetting
from nasarena.search.machine import cache_folder

INSTALL = "--install"


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
    settings, folder = serve_settings(models[0], others)
    signal.signal(signal.SIGTERM, _interrupt)  # `kill` is as good as Ctrl-C
    _serve(settings, folder, make_console())
    return 0


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
