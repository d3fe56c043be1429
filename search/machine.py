"""What nasarena takes of a machine: where caches are stored, how much memory is free, its cores and
what they can do, how many threads a process has, and a file that one process alone writes.

Caches lie in `NASARENA_CACHE`, else in `~/.cache/nasarena`, else in a folder in /tmp. Where
processes share the cores, numerical libraries take one thread in each: they read these variables
when they are imported, so the variables must be set before that.
"""

import fcntl
import os
import tempfile
import time
from math import ceil
from pathlib import Path
from typing import IO

from nasarena.search.errors import InvalidSetting, RunFolderRefused

_MEMINFO = Path("/proc/meminfo")  # of Linux alone
_CPUINFO = Path("/proc/cpuinfo")
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}  # the last one is Arm's
_CGROUP = Path("/sys/fs/cgroup")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def cache_folder() -> Path:
    """The folder of all caches; it need not exist yet."""
    chosen = os.environ.get("NASARENA_CACHE")
    if chosen:
        return Path(chosen)
    try:
        return Path.home() / ".cache" / "nasarena"
    except RuntimeError:  # a user without a name, as containers have them
        return _own_folder(Path(tempfile.gettempdir()) / f"nasarena-{os.getuid()}")


def free_memory() -> int:
    """Bytes of main memory that are free, within the limit of a container, if there is one.

    Where nobody says, half of all there is.
    """
    if not _MEMINFO.exists():
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    lines = dict(line.split(":") for line in _MEMINFO.read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        kept = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such limit ("max"), or no such file system
        return free
    # Pages of files that were read once are given back when memory is needed.
    return min(free, limit - used + int(kept.get("inactive_file", 0)))


def multiplies_bfloat16() -> bool:
    """Whether the CPU has instructions for products in bfloat16; False where nobody says."""
    if not _CPUINFO.exists():
        return False
    return not _BFLOAT16.isdisjoint(_CPUINFO.read_text().split())


def num_cores() -> int:
    """Cores that this process may run on, no more than a container grants it time of."""
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    try:
        quota, period = map(int, (_CGROUP / "cpu.max").read_text().split())
    except (OSError, ValueError):  # no such limit ("max"), or no such file system
        return cores
    return min(cores, ceil(quota / period))


def thread_environment(num_threads: int) -> dict[str, str]:
    """What a process starts with that shall take so many threads."""
    return dict.fromkeys(_THREADS, str(num_threads))


def default_to_one_thread() -> None:
    """One thread in this process and those that it starts, unless the user said otherwise."""
    for name, value in thread_environment(1).items():
        os.environ.setdefault(name, value)


def _own_folder(folder: Path) -> Path:
    """`folder`, where nobody else can have put anything: libraries are loaded from caches."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise InvalidSetting(f"{folder} must be yours alone: remove it, or set NASARENA_CACHE")
    return folder


def lock_file(file: IO[bytes], folder: Path, wait_s: float = 0.0) -> None:
    """Have an open file to oneself until it is closed.

    Raises RunFolderRefused where another process still has it after `wait_s`; `file` is closed.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if time.monotonic() >= deadline:
                file.close()
                raise RunFolderRefused(
                    f"{folder} is being written by another process; wait for it or stop it"
                ) from error
        time.sleep(0.01)
