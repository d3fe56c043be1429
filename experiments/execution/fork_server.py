"""Worker processes in milliseconds: forked from a process that has imported what they need.

A run of a user's searcher has a worker of its own. A fresh interpreter for it takes half a second,
with torch two; a fork of the server takes a few milliseconds and is as clean. The server is a fresh
interpreter, never a copy of the caller, so there is no script that would be run again. It has one
thread and computes nothing, which makes forking it safe, and it ends when its caller does.

`multiprocessing` has such a server, but runs the caller's script in every process, and needs a
folder for its socket.
"""

import atexit
import importlib
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from select import select
from typing import NoReturn

import numpy as np

from nasarena.search.machine import thread_environment

_MODULES = ("nasarena.experiments.comparison.running", "nasarena.experiments.execution.workers")
_NUMBER = struct.Struct("<q")
_WITH_TORCH, _PLAIN = b"t", b"-"


@dataclass(slots=True)
class ForkedProcess:
    """A worker; `code` is how it ended: an exit code, or less than 0 the signal; None before."""

    pid: int
    _status: socket.socket
    code: int | None = None

    def wait(self, timeout_s: float | None = None) -> int | None:
        """How it ended; None if it has not within the time, or if nobody knows."""
        if self.code is None and self._status.fileno() >= 0:
            if not select([self._status], [], [], timeout_s)[0]:
                return None
            self.code = _read_number(self._status)
            self._status.close()
        return self.code

    def send_signal(self, number: signal.Signals) -> None:
        """Nothing happens to one that has ended."""
        if self.wait(0) is None:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass


# By the process that started it, so that a fork of that process has servers of its own.
_servers: dict[tuple[int, int], tuple[socket.socket, "subprocess.Popen[bytes]"]] = {}
Serve = Callable[[int, int], None]


def fork_worker(serve: Serve, ends: tuple[int, int], num_threads: int) -> ForkedProcess:
    """A new process that calls `serve`, a function of a module, with these two file descriptors.

    Its numerical libraries take `num_threads` threads. Raises OSError where none can be had.
    """
    key = os.getpid(), num_threads
    for _ in range(2):  # the server may have been killed
        if key not in _servers:
            _servers[key] = _start_server(serve, num_threads)
        ours, theirs = socket.socketpair()
        with theirs:
            pid = _request(_servers[key][0], [theirs.fileno(), *ends]) and _read_number(ours)
        if pid:
            return ForkedProcess(pid, ours)
        ours.close()
        _end_server(key)
    raise OSError("the server that forks worker processes ended")


def _end_server(key: tuple[int, int]) -> None:
    server, process = _servers.pop(key)
    server.close()
    process.wait()


@atexit.register
def _end_servers() -> None:
    for key in [key for key in _servers if key[0] == os.getpid()]:
        _end_server(key)


def _start_server(
    serve: Serve, num_threads: int
) -> "tuple[socket.socket, subprocess.Popen[bytes]]":
    ours, theirs = socket.socketpair()
    end = theirs.fileno()
    code = (
        f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import run; "
        f"from {serve.__module__} import {serve.__name__} as serve; run({end}, serve)"
    )
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **thread_environment(num_threads)},
            pass_fds=[end],
        )
    return ours, process


def _request(server: socket.socket, ends: Sequence[int]) -> bool:
    """Ask for a worker that writes where this process does; whether the server is there."""
    outputs = [number for number in (1, 2) if _is_open(number)]
    library = _WITH_TORCH if "torch" in sys.modules else _PLAIN
    try:
        socket.send_fds(server, [library + bytes(outputs)], [*ends, *outputs])
    except OSError:
        return False
    return True


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _read_number(status: socket.socket) -> int | None:
    try:
        content = status.recv(_NUMBER.size, socket.MSG_WAITALL)
    except OSError:
        return None
    return int(_NUMBER.unpack(content)[0]) if len(content) == _NUMBER.size else None


def run(end: int, serve: Serve) -> NoReturn:
    """The server: forks on request, says how its children ended, ends with the one who asks."""
    for module in _MODULES:
        importlib.import_module(module)
    requests = socket.socket(fileno=end)
    alarm, alarm_end = socket.socketpair()
    for one in (alarm, alarm_end):
        one.setblocking(False)
    signal.set_wakeup_fd(alarm_end.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    statuses: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select([requests, alarm], [], [])
        if alarm in ready:
            alarm.recv(1024)
            _reap(statuses)
        if requests not in ready:
            continue
        message, ends, _, _ = socket.recv_fds(requests, 1 + 2, 3 + 2)
        if not message:
            os._exit(0)
        if message[:1] == _WITH_TORCH:
            importlib.import_module("torch")
        status = socket.socket(fileno=ends[0])
        pid = os.fork()
        if pid == 0:
            for one in (requests, alarm, alarm_end, status, *statuses.values()):
                one.close()
            _work(serve, (ends[1], ends[2]), dict(zip(message[1:], ends[3:], strict=True)))
        for number in ends[1:]:
            os.close(number)
        statuses[pid] = status
        _tell(status, pid)


def _reap(statuses: dict[int, socket.socket]) -> None:
    """Every child that has ended; one alarm may stand for several."""
    while statuses:
        pid, wait_status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with statuses.pop(pid) as status:
            _tell(status, os.waitstatus_to_exitcode(wait_status))


def _tell(status: socket.socket, number: int) -> None:
    try:
        status.sendall(_NUMBER.pack(number))
    except OSError:
        pass  # whoever asked is gone, and so is the reason to go on


def _work(serve: Serve, ends: tuple[int, int], outputs: Mapping[int, int]) -> NoReturn:
    """The life of a child, as it would be in a fresh interpreter."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, given in outputs.items():
            os.dup2(given, number)
            os.close(given)
        random.seed()
        np.random.seed()  # noqa: NPY002 - a fresh interpreter would have a state of its own too
        serve(*ends)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
