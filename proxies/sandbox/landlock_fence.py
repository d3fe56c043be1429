"""The fence of level `landlock`: Landlock for files, TCP and signals, seccomp for the rest.

Both stay on this process and all its descendants. What the running kernel's Landlock lacks is left
out (TCP before 6.7, signals and abstract sockets before 6.12): `doctor escapes=true` says what
holds.
"""

import ctypes
import errno
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nasarena.proxies.sandbox.limits import Spec

if TYPE_CHECKING:
    from seccompy import Filter

# System calls that training has no use for, refused with EPERM.
REFUSED = (
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd",
    "unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "fsopen", "fsmount",
    "fsconfig", "fspick", "move_mount", "open_tree", "mount_setattr", "swapon", "swapoff",
    "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "keyctl", "add_key", "request_key", "kexec_load", "kexec_file_load",
    "init_module", "finit_module", "delete_module", "reboot", "acct", "syslog", "vhangup",
    "quotactl", "sethostname", "setdomainname", "settimeofday", "clock_settime", "adjtimex",
    "clock_adjtime", "open_by_handle_at", "name_to_handle_at", "fanotify_init", "memfd_secret",
    "shmget", "shmat", "shmctl", "semget", "semop", "semctl", "msgget", "msgsnd", "msgrcv",
    "msgctl", "mq_open", "mq_unlink", "personality", "iopl", "ioperm", "lookup_dcookie",
)  # fmt: skip
# A driver of a GPU may need it; elsewhere it is memory that no limit of ours counts.
REFUSED_WITHOUT_GPU = ("memfd_create",)
_AF_UNIX = 1
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020000  # all CLONE_NEW* flags but that of time, which clone cannot take


def raise_fence(spec: Spec, writable: Iterable[str]) -> None:
    """Raises OSError where the kernel refuses; no part is left out silently but those above."""
    prepare_libraries()
    filters = _call_filter(spec.has_gpu)
    restrict_files(spec, writable, ("/proc/self",))
    filters.load()


def prepare_libraries() -> None:
    """Load both libraries; seccompy asks a compiler where the C library is, once a process."""
    import landlockpy
    import seccompy

    landlockpy.supported()
    seccompy.supported()


def restrict_files(spec: Spec, writable: Iterable[str], more: Iterable[str]) -> None:
    """The part of Landlock; `more` are folders to read that only exist now. Raises OSError."""
    from landlockpy import AccessFS, Ruleset, Scope

    read = AccessFS.READ_FILE | AccessFS.READ_DIR | AccessFS.EXECUTE
    device = AccessFS.READ_FILE | AccessFS.WRITE_FILE | AccessFS.IOCTL_DEV
    of_file = AccessFS.READ_FILE | AccessFS.EXECUTE
    special = AccessFS.MAKE_CHAR | AccessFS.MAKE_BLOCK | AccessFS.IOCTL_DEV
    with Ruleset(scoped=Scope.SIGNAL | Scope.ABSTRACT_UNIX_SOCKET) as ruleset:
        for path in (*spec.readable, *more):
            if os.path.exists(path):
                ruleset.allow_path(path, read if os.path.isdir(path) else of_file)
        for path in spec.listed:
            ruleset.allow_path(path, AccessFS.READ_DIR)
        for path in spec.devices:
            ruleset.allow_path(path, device)
        for path in writable:
            ruleset.allow_path(path, ruleset.handled_fs & ~special)
        ruleset.restrict()


def _call_filter(has_gpu: bool) -> "Filter":
    from seccompy import Action, ArgCmp, CmpOp, Filter
    from seccompy.syscalls import syscall_nr

    filters = Filter(default=Action.ALLOW)
    for name in (*REFUSED, *(() if has_gpu else REFUSED_WITHOUT_GPU)):
        try:
            filters.errno(syscall_nr(name), errno.EPERM)
        except ValueError:
            continue  # not a call of this processor
    filters.errno("socket", errno.EACCES, args=[ArgCmp(0, CmpOp.NE, _AF_UNIX)])
    for flag in (1 << bit for bit in range(32) if _NEW_NAMESPACES >> bit & 1):
        wanted = ArgCmp(0, CmpOp.MASKED_EQ, flag, mask=flag)
        filters.errno("clone", errno.EPERM, args=[wanted])
    filters.errno("clone3", errno.ENOSYS)  # its flags lie in memory; libraries fall back to clone
    if _has_x32():
        for number in range(_X32, _X32 + 600):
            filters.errno(number, errno.ENOSYS)
    return filters


def _has_x32() -> bool:
    """Whether this kernel takes every call a second time, under numbers of its own."""
    getpid = 39
    return os.uname().machine == "x86_64" and ctypes.CDLL(None).syscall(_X32 + getpid) > 0
