"""A Python that has imported PyTorch already, from which sandboxed scripts are forked.

Importing takes seconds of a core, in each of a trial's three processes. Here it happens once: this
process has an emptied environment, never runs a line of a program and holds nothing but libraries.
Each request makes it fork a guardian, which forks the script and fences it in.

    python -I -m nasarena.proxies.sandbox.warm SOCKET
"""

import atexit
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress

from nasarena.proxies.sandbox.guardian import serve
from nasarena.proxies.sandbox.landlock_fence import prepare_libraries

_MODULE = "nasarena.proxies.sandbox.warm"
_NUM_STREAMS = 5  # standard input, output and error, control and report
_LOOK_S = 1.0
_warm: dict[tuple[int, int], "WarmPython"] = {}
_lock = threading.Lock()


class WarmPython:
    """The caller's side: one such process, for scripts of so many threads."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._socket, theirs = socket.socketpair()
        words = [sys.executable, "-I", "-m", _MODULE, str(theirs.fileno())]
        with theirs:
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment,
                pass_fds=(theirs.fileno(),), start_new_session=True, cwd="/",
            )  # fmt: skip

    def start_guardian(self, streams: list[int]) -> int:
        """Fork a guardian that has these file descriptors; its process id. Raises OSError."""
        socket.send_fds(self._socket, [b"g"], streams)
        answer = self._socket.recv(16)
        if not answer:
            raise OSError("the process with the libraries has ended")
        return int(answer)

    def close(self) -> None:
        """End it, and with it all that was forked from it."""
        self._socket.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)


def start_guardian(environment: dict[str, str], num_threads: int, streams: list[int]) -> int:
    """A guardian from this process's warm Python, which is started where there is none."""
    with _lock:
        key = (os.getpid(), num_threads)  # not the one of the process that forked this one
        for _ in range(2):
            if key not in _warm:
                _warm[key] = WarmPython(environment)
            try:
                return _warm[key].start_guardian(streams)
            except OSError:
                _warm.pop(key).close()
    raise OSError("no Python with the libraries could be started")


def close_all() -> None:
    """End the warm processes of this one."""
    with _lock:
        for key in [key for key in _warm if key[0] == os.getpid()]:
            _warm.pop(key).close()


atexit.register(close_all)


def main() -> None:
    """Answer requests until the caller is gone."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    caller = os.getppid()
    _import_libraries()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # guardians leave no zombies
    while os.getppid() == caller:
        if not select.select([channel], [], [], _LOOK_S)[0]:
            continue
        try:
            word, streams, _, _ = socket.recv_fds(channel, 1, _NUM_STREAMS)
        except OSError:
            return
        if not word:
            return
        child = os.fork()
        if child == 0:
            channel.close()
            _become_guardian(streams)
        for stream in streams:
            os.close(stream)
        channel.send(str(child).encode())


def _import_libraries() -> None:
    import safetensors.torch  # noqa: F401
    import torch._dynamo  # noqa: F401

    with suppress(ImportError):
        prepare_libraries()


def _become_guardian(streams: list[int]) -> None:
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for number, stream in enumerate(streams[:3]):
            os.dup2(stream, number)
            os.close(stream)
        serve(streams[3], streams[4])
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
