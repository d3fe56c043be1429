"""A view of the file system for the sandbox alone, where the kernel grants one.

Shared memory, the scratch folder and /run are file systems in memory of a fixed size that vanish
at the end: nothing can be left there for the next trial, and no file that is deleted while it is
open escapes the limit. Root has this right outside of containers, other users where user namespaces
are allowed. Elsewhere nothing is granted in /dev/shm and the scratch folder is measured instead.
"""

import os
from collections.abc import Iterable, Iterator

from nasarena.proxies.sandbox import kernel_calls as kernel

SHARED_MEMORY = "/dev/shm"
_SOCKETS = ("/run", "/tmp/.X11-unix")  # sockets of services that anybody may connect to
_OTHERS_ENTER = 0o001


def unshare_mounts() -> bool:
    """Whether this process has mounts of its own now."""
    user, group = os.geteuid(), os.getegid()
    try:
        if user == 0:
            kernel.unshare(kernel.NEW_MOUNTS)
        else:
            kernel.unshare(kernel.NEW_MOUNTS | kernel.NEW_USER)
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"{user} {user} 1")
            _write("/proc/self/gid_map", f"{group} {group} 1")
        kernel.make_mounts_private()
    except OSError:
        return False
    return True


def mount_view(scratch: str, disk_mib: float, shared_mib: float) -> None:
    """The file systems in memory. Raises OSError."""
    kernel.mount_tmpfs(scratch, disk_mib, "700")
    if os.path.isdir(SHARED_MEMORY):
        kernel.mount_tmpfs(SHARED_MEMORY, shared_mib, "1777")
    for folder in _SOCKETS:
        if os.path.isdir(folder):
            kernel.mount_tmpfs(folder, 0, "755")


def closed_folder(path: str) -> str | None:
    """The highest folder on the way to `path` that other users may not enter."""
    for folder in _ancestors(path):
        if not os.stat(folder).st_mode & _OTHERS_ENTER:
            return folder
    return None


def open_closed_folders(paths: Iterable[str], spare: str) -> None:
    """Show `paths` to other users where a folder above is closed to them, and nothing beside.

    `spare` is an empty folder for the time being. Raises OSError.
    """
    by_folder: dict[str, list[str]] = {}
    for path in paths:
        if os.path.isdir(path) and (folder := closed_folder(path)):
            by_folder.setdefault(folder, []).append(path)
    for folder, inside in by_folder.items():
        places = []
        for number, path in enumerate(_outermost(inside)):
            place = os.path.join(spare, str(number))
            os.mkdir(place)
            kernel.bind(path, place)
            places.append((place, path))
        kernel.mount_tmpfs(folder, 1, "755")
        for place, path in places:
            os.makedirs(path, exist_ok=True)
            kernel.bind(place, path)
            kernel.unmount(place)
            os.rmdir(place)


def _outermost(paths: Iterable[str]) -> list[str]:
    kept: list[str] = []
    for path in sorted(set(paths)):
        if not any(path.startswith(f"{other}/") for other in kept):
            kept.append(path)
    return kept


def _ancestors(path: str) -> Iterator[str]:
    """The folders above a path and itself, the highest first."""
    parts = [part for part in os.path.realpath(path).split("/") if part]
    for depth in range(1, len(parts) + 1):
        yield "/" + "/".join(parts[:depth])


def _write(file: str, text: str) -> None:
    with open(file, "w") as opened:
        opened.write(text)
