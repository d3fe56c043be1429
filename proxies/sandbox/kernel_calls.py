"""The few system calls that Python has no function for (`os.unshare` is new in 3.12)."""

import ctypes
import os
import struct

_LIBC = ctypes.CDLL(None, use_errno=True)

NEW_MOUNTS, NEW_USER = 0x00020000, 0x10000000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
_DETACH = 2
_PIVOT_ROOT = 155 if os.uname().machine == "x86_64" else 41
_CAPABILITY_VERSION = 0x20080522


def unshare(flags: int) -> None:
    """Namespaces of one's own. Raises OSError."""
    _check(_LIBC.unshare(flags), "unshare")


def make_mounts_private() -> None:
    """No mount made from now on is seen outside. Raises OSError."""
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE, None)


def mount_tmpfs(folder: str, mib: float, mode: str) -> None:
    """An empty file system in memory of that size over `folder`. Raises OSError."""
    options = f"size={max(int(mib * 1024), 4)}k,mode={mode}"
    _mount("tmpfs", folder, "tmpfs", _MS_NOSUID | _MS_NODEV, options)


def bind(source: str, target: str) -> None:
    """Show `source` at `target` too. Raises OSError."""
    _mount(source, target, None, _MS_BIND | _MS_REC, None)


def enter_root(folder: str) -> None:
    """Make a mount `/` for this process alone, in mounts of its own; nothing else is left there.

    Not chroot: in a changed root no namespace of users can be made, which bubblewrap needs.
    Raises OSError.
    """
    unshare(NEW_MOUNTS)
    os.chdir(folder)
    _check(_LIBC.syscall(_PIVOT_ROOT, b".", b"."), "pivot_root")
    _check(_LIBC.umount2(b".", _DETACH), "unmount the old root")
    os.chdir("/")


def unmount(folder: str) -> None:
    """Take the topmost mount off. Raises OSError."""
    _check(_LIBC.umount2(folder.encode(), _DETACH), f"unmount {folder}")


def become_subreaper() -> None:
    """Orphans among the descendants become children of this process."""
    _check(_LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "subreaper")


def die_with_parent(signal: int) -> None:
    """Get a signal when the thread that started this process ends."""
    _check(_LIBC.prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0), "parent death signal")


def renounce_privileges() -> None:
    """No program started from now on gains any (set-user-ID bits, file capabilities)."""
    _check(_LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def drop_capabilities() -> None:
    """Keep none, also of those that a user namespace gave."""
    header, data = struct.pack("Ii", _CAPABILITY_VERSION, 0), bytes(24)
    _check(_LIBC.capset(header, data), "capset")


def allow_inspection() -> None:
    """Give this process its own /proc back, which a change of user takes away."""
    _check(_LIBC.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0), "dumpable")


def _mount(source: str, target: str, kind: str | None, flags: int, options: str | None) -> None:
    words = [None if one is None else one.encode() for one in (source, target, kind, options)]
    answer = _LIBC.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3])
    _check(answer, f"mount {target}")


def _check(answer: int, what: str) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
