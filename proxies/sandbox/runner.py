"""The caller's side of a sandbox: start a command behind a fence, talk to it, hear how it ended.

with Sandbox(("python", "-c", "print(1)"), level="landlock") as sandbox:
    answer = sandbox.output.read(100)
sandbox.ending
"""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import IO

from nasarena.proxies.sandbox.levels import choose_level
from nasarena.proxies.sandbox.limits import Ending, Level, Limits, Spec
from nasarena.proxies.sandbox.places import (
    base_places,
    device_places,
    listed_places,
    readable_places,
)
from nasarena.search.machine import thread_environment

_GRACE_S = 30.0  # what a guardian may take beyond the command's time
_GUARDIAN = "nasarena.proxies.sandbox.guardian"


class Sandbox:
    """A command that runs behind a fence; a context whose end stops it.

    `input` and `output` are its standard streams, pipes without buffers; what it writes to standard
    error is kept up to `limits.output_kib` and then dropped. `readable` are files and folders
    besides those that Python and its libraries need; `keep` names files of its scratch folder (its
    working folder, home and TMPDIR) that are copied to the folder `kept_in`.

    Raises InvalidSetting for a level that this machine does not have.
    """

    def __init__(
        self,
        command: Sequence[str],
        limits: Limits | None = None,
        level: Level | None = None,
        readable: Sequence[str] = (),
        keep: Sequence[str] = (),
        kept_in: str = "",
        num_threads: int = 1,
        has_gpu: bool = False,
        container: str = "",
    ) -> None:
        self.spec = Spec(
            command=tuple(command),
            level=level or choose_level(),
            limits=limits or Limits(),
            readable=(*readable_places(has_gpu), *map(os.path.realpath, readable)),
            listed=listed_places(),
            bases=(*base_places(), *map(os.path.realpath, readable)),
            devices=device_places(has_gpu),
            environment=clean_environment(num_threads, has_gpu),
            keep=tuple(keep),
            kept_in=kept_in,
            container=container,
            has_gpu=has_gpu,
        )
        self._ending: Ending | None = None
        self._errors = bytearray()
        self._start()

    def _start(self) -> None:
        control, self._control = os.pipe()
        self._report, report = os.pipe()
        words = [sys.executable, "-I", "-m", _GUARDIAN, str(control), str(report)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            words, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=True,
            pass_fds=(control, report), cwd="/",
        )  # fmt: skip
        os.close(control)
        os.close(report)
        assert self._process.stdin and self._process.stdout
        self.input: IO[bytes] = self._process.stdin
        self.output: IO[bytes] = self._process.stdout
        self._drain = threading.Thread(target=self._read_errors, daemon=True)
        self._drain.start()
        os.write(self._control, self.spec.to_json().encode() + b"\n")

    def _read_errors(self) -> None:
        """Keep the end of standard error, which holds the traceback."""
        assert self._process.stderr
        most = self.spec.limits.output_kib * 1024
        while more := self._process.stderr.read(1 << 16):
            self._errors += more
            del self._errors[:-most]

    @property
    def errors(self) -> str:
        """The end of standard error, complete once the command has ended."""
        return bytes(self._errors).decode(errors="replace")

    @property
    def ending(self) -> Ending:
        """How it ended; waits for the end."""
        if self._ending is None:
            self._ending = self._wait()
        return self._ending

    def wait(self, deadline: float) -> bool:
        """Whether it has ended by itself by then, a time of `time.monotonic()`."""
        left = max(0.0, deadline - time.monotonic())
        return self._ending is not None or bool(select.select([self._report], [], [], left)[0])

    def stop(self, for_output: bool = False) -> Ending:
        """End it with all that it started."""
        if self._ending is None:
            with suppress(OSError):
                os.write(self._control, b"o" if for_output else b"s")
        return self.ending

    def _wait(self) -> Ending:
        deadline = time.monotonic() + self.spec.limits.wall_s + _GRACE_S
        text = b""
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._report], [], [], left)[0]:
                if not (more := os.read(self._report, 1 << 16)):
                    break
                text += more
        if not text:  # a guardian that is dead or stuck: its children die with it
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._drain.join(timeout=5.0)
        with suppress(OSError):
            os.close(self._control)
            os.close(self._report)
        if not text:
            words = "its guardian ended without a report"
            return Ending(
                "abandoned", None, self.spec.limits.wall_s, 0.0, 0, self.spec.level, words
            )
        found = json.loads(text)
        return Ending(**{**found, "kept": tuple(found["kept"])})

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        for stream in (self.input, self.output, self._process.stderr):
            with suppress(OSError):
                stream.close() if stream else None


@dataclass(frozen=True)
class Finished:
    """A command that has ended, with what it wrote."""

    ending: Ending
    output: bytes
    errors: str


def run_command(
    command: Sequence[str],
    limits: Limits | None = None,
    level: Level | None = None,
    readable: Sequence[str] = (),
    stdin: bytes = b"",
) -> Finished:
    """Run a command to its end; output beyond `limits.output_kib` ends it."""
    with Sandbox(command, limits, level, readable) as sandbox:
        writer = threading.Thread(target=_feed, args=(sandbox.input, stdin), daemon=True)
        writer.start()
        output = bytearray()
        while more := sandbox.output.read(1 << 16):
            output += more
            if len(output) > sandbox.spec.limits.output_kib * 1024:
                sandbox.stop(for_output=True)
                break
        ending = sandbox.ending
    return Finished(ending, bytes(output[: sandbox.spec.limits.output_kib * 1024]), sandbox.errors)


def clean_environment(num_threads: int, has_gpu: bool) -> dict[str, str]:
    """All that a command finds in its environment, besides HOME and TMPDIR."""
    kept = ("CUDA_VISIBLE_DEVICES", "CUDA_HOME", "LD_LIBRARY_PATH") if has_gpu else ()
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "USER": "sandbox",
        "LOGNAME": "sandbox",
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HF_HUB_OFFLINE": "1",
        "TORCHINDUCTOR_COMPILE_THREADS": "1",  # no pool of processes that import torch again
        **thread_environment(num_threads),
        **{name: os.environ[name] for name in kept if name in os.environ},
    }


def _feed(stream: IO[bytes], data: bytes) -> None:
    with suppress(OSError):
        view = memoryview(data)
        while view:
            view = view[stream.write(view) or 0 :]
        stream.close()
