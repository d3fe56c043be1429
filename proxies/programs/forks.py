"""Work done in a fork of this process, which answers with bytes or with one line.

A fork of a process that has imported torch and computed nothing takes a few milliseconds, where a
sandbox with an interpreter of its own takes seconds. It bounds time and keeps state apart, and it
is no sandbox: code of anybody else's is for `nasarena.proxies.programs.judge`.
"""

import os
import select
import signal
import struct
import time
from collections.abc import Callable

import torch
import torch._dynamo  # optimizers load it when first used, a second in every fork that lacks it

from nasarena.proxies.programs.conversation import Broken

_LENGTH = struct.Struct("<q")
_MOST_BYTES = 1 << 28  # of an answer


def run_in_fork(work: Callable[[], bytes], limit_s: float) -> bytes:
    """What `work` returns in a fork. Raises Broken for an exception there, or no answer."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        _work(work, write_end)
    os.close(write_end)
    try:
        kind, content = _read(read_end, time.monotonic() + limit_s)
    finally:
        os.close(read_end)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    if kind != b"+":
        raise Broken(content.decode("utf-8", "replace") or "it ended without a result")
    return content


def _work(work: Callable[[], bytes], write_end: int) -> None:
    """In the fork: never returns."""
    try:
        os.setsid()
        quiet = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(quiet, number)
        torch.set_num_threads(1)
        try:
            message = b"+" + work()
        except BaseException as error:
            words = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            message = b"-" + words.encode("utf-8", "replace")
        message = _LENGTH.pack(len(message)) + message
        while message:
            message = message[os.write(write_end, message) :]
    finally:
        os._exit(0)


def _read(end: int, deadline: float) -> tuple[bytes, bytes]:
    content = b""
    parts = list[bytes]()
    size, wanted = 0, _LENGTH.size
    while size < wanted:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([end], [], [], left)[0]:
            raise Broken("it did not end in time")
        part = os.read(end, 1 << 20)
        if not part:
            raise Broken("it ended without a result")
        parts.append(part)
        size += len(part)
        if wanted == _LENGTH.size and size >= wanted:
            content = b"".join(parts)
            wanted += _LENGTH.unpack(content[: _LENGTH.size])[0]
            if not _LENGTH.size < wanted < _MOST_BYTES:
                raise Broken("it answered too much")
    content = b"".join(parts)[_LENGTH.size :]
    return content[:1], content[1:]
