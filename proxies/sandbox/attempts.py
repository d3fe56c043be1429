"""Attempts to get out of a sandbox, made from within it: one function each.

    python -I -S attempts.py PLACES        (PLACES: JSON, see escapes.py)

A function returns something true where it got what it wanted, and returns nothing or raises where
it was held. Each runs in a process of its own. Nothing here does harm where it succeeds: signals
are signal 0, limits and priorities are set to what they are, and files are those of the suite.
"""

import ctypes
import json
import os
import platform
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
_PATIENCE_S = 5
_NUMBERS = {  # of system calls that the C library has no function for, on x86-64 and aarch64
    "process_vm_readv": (310, 270), "kcmp": (312, 272), "pidfd_getfd": (438, 438),
    "clone": (56, 220), "clone3": (435, 435), "bpf": (321, 280), "perf_event_open": (298, 241),
    "io_uring_setup": (425, 425), "userfaultfd": (323, 282), "keyctl": (250, 219),
    "add_key": (248, 217), "finit_module": (313, 273), "memfd_secret": (447, 447),
    "fsopen": (430, 430), "mq_open": (240, 180), "open_by_handle_at": (304, 265),
}  # fmt: skip
_NEW_USER, _NEW_MOUNTS, _NEW_NET = 0x10000000, 0x00020000, 0x40000000

Places = dict[str, Any]
ATTEMPTS: dict[str, Callable[[Places], object]] = {}


def attempt(name: str) -> Callable[[Callable[[Places], object]], Callable[[Places], object]]:
    """Put a function among the attempts."""

    def add(function: Callable[[Places], object]) -> Callable[[Places], object]:
        ATTEMPTS[name] = function
        return function

    return add


def call(name: str, *arguments: Any) -> bool:
    """Whether a system call succeeds."""
    x86 = platform.machine() == "x86_64"
    return bool(_libc.syscall(_NUMBERS[name][0 if x86 else 1], *arguments) >= 0)


def did(action: Callable[..., object], *arguments: Any) -> bool:
    """True, unless the action raises."""
    action(*arguments)
    return True


def _open(path: str, flags: int = os.O_RDONLY) -> bool:
    os.close(os.open(path, flags))
    return True


def _read(path: object) -> bool:
    with open(str(path), "rb") as file:
        return bool(file.read(16))


def _write(path: object) -> bool:
    with open(str(path), "ab") as file:
        return file.write(b"x") == 1


_FILES: dict[str, Callable[[Places], object]] = {
    "files: read one outside": lambda at: _read(at["secret"]),
    "files: list a folder outside": lambda at: os.listdir(at["folder"]),
    "files: write a new one outside": lambda at: _write(f"{at['folder']}/new"),
    "files: write to one that all may write": lambda at: _write(at["open"]),
    "files: empty one outside": lambda at: did(os.truncate, at["open"], 0),
    "files: delete one outside": lambda at: did(os.unlink, at["spare"]),
    "files: rename one outside": lambda at: did(os.rename, at["spare"], at["spare"] + "2"),
    "files: make a folder outside": lambda at: did(os.mkdir, f"{at['folder']}/made"),
    "files: make a link outside": lambda at: did(os.symlink, "/", f"{at['folder']}/link"),
    "files: make a pipe outside": lambda at: did(os.mkfifo, f"{at['folder']}/pipe"),
    "files: read by way of /proc/self/root": lambda at: _read(f"/proc/self/root{at['secret']}"),
    "files: read by way of /proc/self/cwd": lambda at: _read(f"/proc/self/cwd/../..{at['secret']}"),
    "files: read the caller's root": lambda at: _read(f"/proc/{at['caller']}/root{at['secret']}"),
    "files: a symbolic link to one outside": lambda at: (
        did(os.symlink, at["secret"], "soft") and _read("soft")
    ),
    "files: a hard link to one outside": lambda at: (
        did(os.link, at["secret"], "hard") and _read("hard")
    ),
    "files: users": lambda _: _read("/etc/passwd"),
    "files: passwords": lambda _: _read("/etc/shadow"),
    "files: home folder of root": lambda _: set(os.listdir("/root")) - {".pyenv"},
    "files: home folder of the caller": lambda at: set(os.listdir(at["home"])) - {".pyenv"},
    "files: this project's sources": lambda at: _read(at["source"]),
    "files: this project's text": lambda at: _read(at["text"]),
    "files: the manual within Python": lambda at: _read(f"{at['library']}/pydoc_data/topics.py"),
    "files: write into Python's library": lambda at: _write(f"{at['library']}/new.py"),
    "files: write into the packages": lambda at: _write(f"{at['packages']}/new.py"),
    "files: write over this script": lambda _: _write(__file__),
    "files: the kernel's messages": lambda _: _open("/dev/kmsg"),
    "files: the machine's memory": lambda _: _open("/dev/mem"),
    "files: a disk of the machine": lambda at: any(map(_open, at["disks"])),
    "files: a terminal": lambda _: _open("/dev/tty", os.O_RDWR),
    "files: a new terminal": lambda _: _open("/dev/ptmx", os.O_RDWR),
    "files: settings of the kernel": lambda _: _open("/proc/sys/kernel/hostname", os.O_WRONLY),
    "files: the kernel's trigger of everything": lambda _: _open("/proc/sysrq-trigger", 1),
    "files: change the mode of one outside": lambda at: did(os.chmod, at["secret"], 0o644),
    "files: open descriptors of the caller": lambda _: (
        set(os.listdir("/proc/self/fd")) - {"0", "1", "2", "3"}
    ),
    "environment: the caller's secret": lambda _: "NASARENA_ESCAPE_SECRET" in os.environ,
    "environment: as the kernel keeps it": lambda _: (
        b"NASARENA_ESCAPE_SECRET" in Path("/proc/self/environ").read_bytes()
    ),
    "labels: the held-out file": lambda at: _read(at["labels"]),
}
ATTEMPTS.update(_FILES)


@attempt("files: move one of its own outside")
def _move(at: Places) -> object:
    Path("own").write_text("x")
    os.rename("own", f"{at['folder']}/own")
    return True


@attempt("devices: make a disk")
def _disk(_: Places) -> object:
    os.mknod("disk", 0o060600, os.makedev(8, 0))
    return _open("disk")


@attempt("privileges: a program that runs as its owner")
def _set_user(_: Places) -> object:
    os.execv("/bin/sh", ["sh", "-c", "su -c true root </dev/null >/dev/null 2>&1 && kill -9 $$"])


@attempt("pickles: one with code that reads a secret")
def _pickle(at: Places) -> object:
    import pickle

    text = f"cbuiltins\neval\n(Vopen({at['secret']!r}).read()\ntR."
    return pickle.loads(text.encode())


def _connects(family: int, kind: int, address: Any) -> bool:
    with socket.socket(family, kind) as one:
        one.settimeout(2)
        one.connect(address)
        one.send(b"x")
    return True


def _binds(family: int, kind: int, address: Any) -> bool:
    with socket.socket(family, kind) as one:
        one.bind(address)
    return True


_NETWORK: dict[str, Callable[[Places], object]] = {
    "network: TCP": lambda at: _connects(2, 1, ("127.0.0.1", at["tcp"])),
    "network: TCP over IPv6": lambda at: _connects(10, 1, ("::1", at["tcp"])),
    "network: UDP": lambda at: _connects(2, 2, ("127.0.0.1", at["udp"])),
    "network: serve TCP": lambda _: _binds(2, 1, ("127.0.0.1", 0)),
    "network: serve UDP": lambda _: _binds(2, 2, ("127.0.0.1", 0)),
    "network: a Unix socket": lambda at: _connects(1, 1, at["unix"]),
    "network: a Unix socket without a file": lambda at: _connects(1, 1, "\0" + at["abstract"]),
    "network: raw packets": lambda _: _binds(2, 3, ("127.0.0.1", 0)),
    "network: packets of a device": lambda _: socket.socket(17, 3, 0x0300),
    "network: the kernel's routes": lambda _: socket.socket(16, 3, 0),
    "network: the host of a virtual machine": lambda _: socket.socket(40, 1),
    "network: encryption by the kernel": lambda _: socket.socket(38, 5),
}
ATTEMPTS.update(_NETWORK)


@attempt("processes: read the caller's memory by a call")
def _memory(at: Places) -> object:
    local = ctypes.create_string_buffer(8)
    ours = struct.pack("PN", ctypes.addressof(local), 8)
    return call("process_vm_readv", at["caller"], ours, 1, ours, 1, 0)


@attempt("processes: a descriptor of the caller")
def _descriptor(at: Places) -> object:
    return call("pidfd_getfd", os.pidfd_open(at["caller"]), 0, 0)


@attempt("processes: signal the caller by a descriptor")
def _signal_by_descriptor(at: Places) -> object:
    signal.pidfd_send_signal(os.pidfd_open(at["caller"]), 0)
    return True


@attempt("processes: share the caller's namespaces")
def _share(at: Places) -> object:
    return _libc.setns(os.pidfd_open(at["caller"]), _NEW_NET) == 0


_PROCESSES: dict[str, Callable[[Places], object]] = {
    "processes: signal the caller": lambda at: did(os.kill, at["caller"], 0),
    "processes: signal another process": lambda at: did(os.kill, at["victim"], 0),
    "processes: signal the first process": lambda _: did(os.kill, 1, 0),
    "processes: trace the caller": lambda at: _libc.ptrace(0x4206, at["caller"], 0, 0) == 0,
    "processes: memory of the caller": lambda at: _open(f"/proc/{at['caller']}/mem"),
    "processes: environment of the caller": lambda at: _read(f"/proc/{at['caller']}/environ"),
    "processes: command line of the caller": lambda at: _read(f"/proc/{at['caller']}/cmdline"),
    "processes: files of the caller": lambda at: os.listdir(f"/proc/{at['caller']}/fd"),
    "processes: environment of another": lambda at: _read(f"/proc/{at['victim']}/environ"),
    "processes: compare with the caller": lambda at: call(
        "kcmp", os.getpid(), at["caller"], 0, 0, 0
    ),
    "processes: limits of the caller": lambda at: resource.prlimit(
        at["caller"], resource.RLIMIT_CORE, resource.prlimit(at["caller"], resource.RLIMIT_CORE)
    ),
    "processes: more priority": lambda _: os.nice(-5) is not None,
}
ATTEMPTS.update(_PROCESSES)


def _raise_limits(_: Places) -> object:
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard + 1000))
    return True


_KERNEL: dict[str, Callable[[Places], object]] = {
    "kernel: become root": lambda _: did(os.setuid, 0),
    "kernel: raise its own limits": _raise_limits,
    "kernel: a namespace of users": lambda _: _libc.unshare(_NEW_USER) == 0,
    "kernel: a namespace of mounts": lambda _: _libc.unshare(_NEW_MOUNTS) == 0,
    "kernel: a namespace by clone": lambda _: call("clone", _NEW_USER | 17, 0, 0, 0, 0),
    "kernel: a namespace by clone3": lambda _: call(
        "clone3", struct.pack("11Q", _NEW_USER, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0), 88
    ),
    "kernel: mount": lambda _: _libc.mount(b"none", b".", b"tmpfs", 0, None) == 0,
    "kernel: mount by the new calls": lambda _: call("fsopen", b"tmpfs", 0),
    "kernel: another root folder": lambda _: did(os.chroot, "."),
    "kernel: set the clock": lambda _: _libc.settimeofday(struct.pack("qq", 1, 0), None) == 0,
    "kernel: name of the machine": lambda _: _libc.sethostname(b"x", 1) == 0,
    "kernel: programs in the kernel": lambda _: call("bpf", 0, b"\1" * 72, 72),
    "kernel: counters of the processor": lambda _: call(
        "perf_event_open", struct.pack("II", 1, 112) + bytes(104), 0, -1, -1, 0
    ),
    "kernel: rings of calls": lambda _: call("io_uring_setup", 1, bytes(120)),
    "kernel: faults handled by itself": lambda _: call("userfaultfd", 1),
    "kernel: rings of keys": lambda _: call("keyctl", 0, -3, 1),
    "kernel: a key": lambda _: call("add_key", b"user", b"x", b"x", 1, -3),
    "kernel: a module": lambda _: call("finit_module", 0, b"", 0),
    "kernel: files by number": lambda _: call("open_by_handle_at", -100, bytes(136), 0),
    "kernel: memory of no file": lambda _: os.memfd_create("x") >= 0,
    "kernel: secret memory": lambda _: call("memfd_secret", 0),
    "kernel: memory that stays": lambda _: (
        _libc.shmctl(_libc.shmget(0, 4096, 0o1600), 0, None) == 0
    ),
    "kernel: messages that stay": lambda _: _libc.msgctl(_libc.msgget(0, 0o1600), 0, None) == 0,
    "kernel: semaphores that stay": lambda _: _libc.semctl(_libc.semget(0, 1, 0o1600), 0, 0) == 0,
    "kernel: a queue that stays": lambda _: (
        call("mq_open", b"nasarena-escape", 0o102, 0o600, None)
        and _libc.mq_unlink(b"/nasarena-escape") == 0
    ),
    "kernel: calls under other numbers": lambda _: _libc.syscall(0x40000027) > 0,
}
ATTEMPTS.update(_KERNEL)


def was_held(function: Callable[[Places], object], places: Places) -> bool:
    """Run one attempt in a process of its own."""
    child = os.fork()
    if child == 0:
        escaped = False
        try:
            signal.alarm(_PATIENCE_S)
            escaped = bool(function(places))
        except BaseException:
            pass
        finally:
            os._exit(77 if escaped else 0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) not in (77, -9)


def main() -> None:
    """One JSON line: which attempts were held."""
    places = json.loads(sys.argv[1])
    print(json.dumps({name: was_held(one, places) for name, one in ATTEMPTS.items()}))


if __name__ == "__main__":
    main()
