"""A process that lets a server live no longer than whoever started it, however that one ends.

    python -m nasarena.agents.llm.server_watchdog COMMAND...

Its standard input is a pipe whose other end the starter holds. When that end closes (the starter
asked for it, crashed, or was killed with -9), the server is told to end, then its process group is
killed, and so is every orphan: the guardian adopts them, as their subreaper. Should the guardian
itself be killed, the kernel sends SIGTERM to the server. Linux only; no import beyond the standard
library, so that it starts at once.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_GRACE_S = 15.0


def main(command: list[str]) -> int:
    """Run `command` until it ends or standard input closes; its exit code, 0 if it was told to."""
    prctl: Callable[..., int] = ctypes.CDLL(None, use_errno=True).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0),
    )
    try:
        return _watch(server)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _end(server)


def _watch(server: "subprocess.Popen[bytes]") -> int:
    """Wait for the first of two ends."""
    server_handle = os.pidfd_open(server.pid)
    ready, _, _ = select.select([0, server_handle], [], [])
    return server.wait() if server_handle in ready else 0


def _end(server: "subprocess.Popen[bytes]") -> None:
    """Ask the server to end, which ends its own children; then kill whatever is left of them."""
    server.terminate()
    try:
        server.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        pass
    try:
        os.killpg(server.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    deadline = time.monotonic() + _GRACE_S
    while _children() and time.monotonic() < deadline:
        for child in _children():
            _kill(child)
        _reap()
        time.sleep(0.02)


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _children() -> list[int]:
    lists = [file.read_text() for file in Path("/proc/self/task").glob("*/children")]
    return [int(child) for text in lists for child in text.split()]


def _reap() -> None:
    """Collect the dead; the living stay."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
