"""The descendants of a process: how many they are, what they hold, and their end.

A guardian is the subreaper of all that it starts, so that a daemon that forked twice and left its
session is still a descendant.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MIB = 2**20
_HAS_LISTS = os.path.exists(f"/proc/self/task/{os.getpid()}/children")


def descendants(of: int) -> list[int]:
    """Process ids of all children, their children and so on. Zombies are among them."""
    found, pending = [], [of]
    table = None if _HAS_LISTS else _parents()
    while pending:
        one = pending.pop()
        children = _children(one) if table is None else [two for two in table if table[two] == one]
        found += children
        pending += children
    return found


def _children(of: int) -> list[int]:
    """The children of all threads of a process.

    A list is exact only while its process does nothing, so `end_all` reads until none is left.
    """
    found: list[str] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{of}/task"):
            with suppress(OSError):
                found += Path(f"/proc/{of}/task/{thread}/children").read_text().split()
    return [int(one) for one in found]


def _parents() -> dict[int, int]:
    """The parent of every process of this machine, on kernels without lists of children."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError, ValueError, IndexError):
            # The name of the program stands in brackets and may hold anything.
            after = Path(f"/proc/{name}/stat").read_text(errors="replace").rpartition(")")[2]
            parents[int(name)] = int(after.split()[1])
    return parents


def num_threads(processes: list[int]) -> int:
    """Threads of these processes together."""
    total = 0
    for one in processes:
        with suppress(OSError):
            total += len(os.listdir(f"/proc/{one}/task"))
    return total


def memory_mib(processes: list[int], limit: float) -> float:
    """Memory of these processes together, pages that they share counted once.

    The exact sum costs milliseconds, so it is taken where a coarse one is above the limit.
    """
    coarse = sum(_own_pages(one) for one in processes) * _PAGE / _MIB
    if coarse <= limit:
        return coarse
    return sum(_share_kib(one) for one in processes) / 1024


def _own_pages(process: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        words = Path(f"/proc/{process}/statm").read_text().split()
        return int(words[1]) - int(words[2])
    return 0


def _share_kib(process: int) -> int:
    """Its pages, those of n processes as an nth; without pages of files, which can be dropped."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1])
    return 0


def folder_mib(folder: str, processes: list[int]) -> float:
    """What lies in a folder, and in files that these processes have deleted and hold open."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
    for one in processes:
        with suppress(OSError):
            for name in os.listdir(f"/proc/{one}/fd"):
                with suppress(OSError):
                    found = os.stat(f"/proc/{one}/fd/{name}")
                    total += found.st_blocks * 512 if found.st_nlink == 0 else 0
    return total / _MIB


def end_all(user: int | None, patience_s: float = 10.0) -> int:
    """Kill every descendant of this process and wait for each; how many there were.

    `user` is one that nobody but they have: the kernel then kills them all at one moment, so that
    none can fork out of the way.
    """
    left = set(descendants(os.getpid())) - {os.getpid()}
    alive = sum(map(_is_alive, left))
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if user is not None:
            _kill_user(user)
        for one in descendants(os.getpid()):
            with suppress(OSError):
                os.kill(one, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return alive
        time.sleep(0.002)
    return alive


def _is_alive(process: int) -> bool:
    with suppress(OSError, IndexError):
        text = Path(f"/proc/{process}/stat").read_text(errors="replace")
        return text.rpartition(")")[2].split()[0] not in "ZX"
    return False


def _kill_user(user: int) -> None:
    """SIGKILL to all processes of a user, sent by a process of that user."""
    helper = os.fork()
    if helper == 0:
        try:
            os.setresuid(user, user, user)
            if os.getresuid() == (user, user, user) and user != 0:
                os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    with suppress(ChildProcessError):
        os.waitpid(helper, 0)
