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

from nasarena.proxies.sandbox import warm
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
_IN_PROCESS = ("limits", "landlock")  # fences that a process can put around itself
_GUARDIAN = "nasarena.proxies.sandbox.guardian"


class Sandbox:
    """A command that runs behind a fence; a context whose end stops it.

    `input` and `output` are its standard streams, pipes without buffers; what it writes to standard
    error is kept up to `limits.output_kib` and then dropped. `readable` are files and folders
    besides those that Python and its libraries need; `keep` names files of its scratch folder (its
    working folder, home and TMPDIR) that are copied to the folder `kept_in`. `script` is a file of
    Python that means the same as the command and is run by a Python that has PyTorch already, where
    the level allows it.

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
        script: str = "",
    ) -> None:
        level = level or choose_level()
        self.spec = Spec(
            command=tuple(command),
            level=level,
            limits=limits or Limits(),
            readable=(*readable_places(has_gpu), *map(os.path.realpath, readable)),
            listed=listed_places(),
            bases=(*base_places(), *map(os.path.realpath, readable)),
            devices=device_places(has_gpu),
            environment=clean_environment(num_threads, has_gpu),
            keep=tuple(keep),
            kept_in=kept_in,
            container=container,
            script=script if level in _IN_PROCESS else "",
            has_gpu=has_gpu,
        )
        self._num_threads = num_threads
        self._ending: Ending | None = None
        self._errors = bytearray()
        self._start()

    def _start(self) -> None:
        """Start the guardian with five pipes, and tell it what to do."""
        pipes = [os.pipe() for _ in range(5)]
        ours = [pipe[number in (0, 3)] for number, pipe in enumerate(pipes)]
        theirs = [pipe[number not in (0, 3)] for number, pipe in enumerate(pipes)]
        self._process = None
        if self.spec.script:
            environment = clean_environment(self._num_threads, self.spec.has_gpu)
            self._guardian = warm.start_guardian(environment, self._num_threads, theirs)
        else:
            control, report = theirs[3:]
            words = [sys.executable, "-I", "-m", _GUARDIAN, str(control), str(report)]
            self._process = subprocess.Popen(
                words, stdin=theirs[0], stdout=theirs[1], stderr=theirs[2],
                start_new_session=True, pass_fds=(control, report), cwd="/",
            )  # fmt: skip
            self._guardian = self._process.pid
        for stream in theirs:
            os.close(stream)
        self.input: IO[bytes] = open(ours[0], "wb", buffering=0)
        self.output: IO[bytes] = open(ours[1], "rb", buffering=0)
        self._error_stream: IO[bytes] = open(ours[2], "rb", buffering=0)
        self._control, self._report = ours[3:]
        self._drain = threading.Thread(target=self._read_errors, daemon=True)
        self._drain.start()
        with suppress(OSError):
            os.write(self._control, self.spec.to_json().encode() + b"\n")

    def _read_errors(self) -> None:
        """Keep the end of standard error, which holds the traceback."""
        most = self.spec.limits.output_kib * 1024
        while more := self._error_stream.read(1 << 16):
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
            with suppress(OSError):
                os.kill(self._guardian, signal.SIGKILL)
        if self._process is not None:
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
        for stream in (self.input, self.output, self._error_stream):
            with suppress(OSError):
                stream.close()


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
