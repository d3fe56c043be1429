"""The life of a vLLM server: started from its own environment, waited for, never left over.

`with VllmServer(ServerSettings(model="Qwen/Qwen3-8B"), folder) as server:` gives
`server.base_url` once it is healthy. It runs under a watchdog (`server_watchdog.py`), so it ends
with this process even if that is killed. With which flags it is started says `server_command.py`.
"""

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from nasarena.agents.llm.errors import VllmFailed
from nasarena.agents.llm.server_command import ServerSettings, command, environment
from nasarena.agents.llm.text import one_line
from nasarena.search.errors import InvalidSetting

ENVIRONMENT = Path(__file__).with_name("vllm_env.sh")  # builds what a server runs in
ADDRESS = "server.json"  # where a server writes its address, in the folder that it is given
LOG = "server.log"
_POLL_S = 0.25
_STOP_S = 40.0  # longer than the guardian gives the server before it kills it


class VllmServer:
    """One server, as a context manager; its log and its address lie in `folder`.

    vLLM keeps what it compiles in `cache`, by default in the same folder.
    """

    def __init__(self, settings: ServerSettings, folder: Path, cache: Path | None = None) -> None:
        self.settings, self.folder = settings, folder.absolute()
        self._cache = (cache or folder / "vllm-cache").absolute()
        self._process: subprocess.Popen[bytes] | None = None
        self.base_url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def log(self) -> Path:
        return self.folder / LOG

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and return when it is healthy.

        Raises VllmFailed with the last error of its log when it is not, InvalidSetting for a port
        at which another server listens: its answers would pass for ours.
        """
        python = vllm_python(self.settings.python)
        port = _free_port(self.settings.host, self.settings.port)
        self.folder.mkdir(parents=True, exist_ok=True)
        guardian = [sys.executable, "-m", "nasarena.agents.llm.server_watchdog"]
        with open(self.log, "wb") as log:
            self._process = subprocess.Popen(
                [*guardian, *command(self.settings, python, port)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(self.settings, self._cache),
                start_new_session=True,  # Ctrl-C is for us; we close the pipe
            )
        self.base_url = f"http://{self.settings.host}:{port}/v1"
        try:
            self._wait_until_healthy()
            self._write_address()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it and wait until it is gone; nothing happens when it is gone already."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        (self.folder / ADDRESS).unlink(missing_ok=True)

    def wait(self) -> None:
        """Return only by VllmFailed, when the server has ended by itself."""
        assert self._process is not None
        self._process.wait()
        raise self.failure()

    def failure(self) -> VllmFailed:
        """The error to raise or to show for a server that has ended by itself."""
        return VllmFailed(f"vLLM ended by itself{self._last_words()}")

    def _wait_until_healthy(self) -> None:
        assert self._process is not None
        start_s = time.monotonic()
        while not is_healthy(self.base_url):
            seconds = time.monotonic() - start_s
            if self._process.poll() is not None:
                raise VllmFailed(
                    f"vLLM ended while starting to serve {self.settings.model}{self._last_words()}"
                )
            if seconds > self.settings.start_timeout_s:
                raise VllmFailed(
                    f"vLLM was not healthy after {seconds:.0f} s (start_timeout_s)"
                    f"{self._last_words()}"
                )
            time.sleep(_POLL_S)

    def _write_address(self) -> None:
        """Written beside and moved: whoever waits for the file finds it whole."""
        address = {"base_url": self.base_url, "model": self.settings.model, "pid": os.getpid()}
        draft = self.folder / f"{ADDRESS}.draft"
        draft.write_text(json.dumps(address) + "\n")
        draft.replace(self.folder / ADDRESS)

    def _last_words(self) -> str:
        """The last line of the log that names an error, and where the rest is."""
        lines = self.log.read_text(errors="replace").splitlines()
        errors = [line for line in lines if "Error" in line and "Traceback" not in line]
        said = errors[-1:] or lines[-1:]
        words = f": {one_line(said[0], 240)}" if said else ""
        return f"{words} (log: {self.log})"


def vllm_python(given: str | None = None) -> str:
    """The python of vLLM's environment: the given one, NASARENA_VLLM_PYTHON, or `.venv-vllm`.

    The folder is looked for here and beside the source. Raises VllmFailed if there is none.
    """
    named = given or os.environ.get("NASARENA_VLLM_PYTHON")
    if named is not None:
        found = shutil.which(named)
        if found is None:
            raise VllmFailed(f"the python of vLLM's environment is said to be {named}: not there")
        return found
    for folder in (Path.cwd(), Path(__file__).resolve().parents[2]):
        python = folder / ".venv-vllm" / "bin" / "python"
        if (folder / ".venv-vllm" / "recipe").exists() and python.exists():
            return str(python)
    raise VllmFailed(
        "vLLM is not installed: `nasarena serve --install` builds .venv-vllm here; or name the "
        "python of another "
        "environment in NASARENA_VLLM_PYTHON; or give llm.base_url of a server elsewhere"
    )


def is_healthy(base_url: str) -> bool:
    """Whether a vLLM server answers its health check."""
    import httpx

    try:
        health = base_url.removesuffix("/v1") + "/health"
        return httpx.get(health, timeout=5.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def read_address(folder: Path) -> str | None:
    """The address that a running server has written into `folder`, if there is one."""
    try:
        return str(json.loads((folder / ADDRESS).read_text())["base_url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _free_port(host: str, port: int) -> int:
    """`port` if nobody listens there, any free one for 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one just closed is free
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise InvalidSetting(
                    f"port {port} of {host} is taken: 0 finds a free one"
                ) from error
            raise InvalidSetting(f"host {host!r} is no address of this machine: {error}") from error
        found: int = probe.getsockname()[1]
        return found
