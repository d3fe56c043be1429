"""A view of the file system for the sandbox alone, where the kernel grants one.

Shared memory and the scratch folder are file systems in memory of a fixed size that vanish at the
end: nothing can be left there for the next trial, and no file that is deleted while it is
open escapes the limit. Root has this right outside of containers, other users where user namespaces
are allowed. Elsewhere nothing is granted in /dev/shm and the scratch folder is measured instead.
"""

import os
from collections.abc import Iterable, Iterator

from nasarena.proxies.sandbox import kernel_calls as kernel

SHARED_MEMORY = "/dev/shm"
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/dev", "/proc", "/sys")
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


def mount_view(root: str, scratch: str, places: Iterable[str], mib: tuple[float, float]) -> None:
    """Build at `root`, an empty folder, what the sandbox sees as `/`. Raises OSError.

    It holds the system, `places` and the scratch folder; homes, /tmp, /run and /var are not there,
    nor the sockets in them, which Landlock would let anybody connect to. A folder that is closed to
    other users is open on the way to a place in it. `mib`: sizes of the scratch folder and of
    shared memory.
    """
    kernel.mount_tmpfs(root, 1, "755")
    for path in (*_SYSTEM, *_outermost(places)):
        if os.path.islink(path):
            os.symlink(os.readlink(path), root + path)
        elif os.path.exists(path) and not os.path.lexists(root + path):
            _bind_below(root, path)
    os.makedirs(root + scratch)
    kernel.mount_tmpfs(root + scratch, mib[0], "700")
    if os.path.isdir(SHARED_MEMORY):
        kernel.mount_tmpfs(root + SHARED_MEMORY, mib[1], "1777")


def _bind_below(root: str, path: str) -> None:
    if os.path.isdir(path):
        os.makedirs(root + path)
    else:
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        _write(root + path, "")
    kernel.bind(path, root + path)


def _outermost(paths: Iterable[str]) -> list[str]:
    kept: list[str] = []
    for path in sorted(set(paths)):
        if not any(path.startswith(f"{other}/") for other in (*kept, *_SYSTEM)):
            kept.append(path)
    return kept


def find_private_folder(path: str) -> str | None:
    """The highest folder on the way to `path` that other users may not enter."""
    for folder in _ancestors(path):
        if not os.stat(folder).st_mode & _OTHERS_ENTER:
            return folder
    return None


def _ancestors(path: str) -> Iterator[str]:
    """The folders above a path and itself, the highest first."""
    parts = [part for part in os.path.realpath(path).split("/") if part]
    for depth in range(1, len(parts) + 1):
        yield "/" + "/".join(parts[:depth])


def _write(file: str, text: str) -> None:
    with open(file, "w") as opened:
        opened.write(text)
