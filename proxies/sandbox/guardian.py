"""The process between a caller and a sandboxed command: it starts it, watches it and ends it.

    python -I -m nasarena.proxies.sandbox.guardian CONTROL REPORT

reads a `Spec` from file descriptor CONTROL, gives its own standard streams to the command, and
writes an `Ending` to REPORT when nothing of the command is left. CONTROL closed means stop; so does
the death of the caller. No word of the command reaches this process.
"""

import json
import os
import select
import shutil
import stat
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict

from nasarena.proxies.sandbox.confine import confine_and_start
from nasarena.proxies.sandbox.kernel_calls import become_subreaper, unmount
from nasarena.proxies.sandbox.limits import Cause, Ending, Spec
from nasarena.proxies.sandbox.mounts import find_private_folder, mount_view, unshare_mounts
from nasarena.proxies.sandbox.processes import (
    descendants,
    end_all,
    folder_mib,
    memory_mib,
    num_threads,
)
from nasarena.search.errors import InvalidSetting

# Far above the users of any system and the ranges that containers take.
_FIRST_USER = 2_000_000_000
_TICK_MS = 20
_DISK_S = 0.25  # between two looks at the scratch folder


class Guardian:
    """One run of a sandbox."""

    def __init__(self, spec: Spec, control: int) -> None:
        self._spec, self._control = spec, control
        self._caller = os.getppid()
        # A program that starts containers needs the rights that it has.
        self._is_bare = spec.level == "container"
        is_root = os.geteuid() == 0 and not self._is_bare
        self._user = _FIRST_USER + os.getpid() if is_root else None
        self._peak = 0.0
        self._disk_at = 0.0
        self._root = ""  # where its view of the file system is, if it has one
        self._scratch = tempfile.mkdtemp(prefix="nasarena-sandbox-", dir="/tmp")

    def run(self) -> Ending:
        """The command from its start until nothing of it is left."""
        become_subreaper()
        started = time.monotonic()
        code, killed, note = None, 0, ""
        kept: tuple[str, ...] = ()
        cause: Cause
        try:
            self._prepare()
            child, errors = self._fork()
            started = time.monotonic()
            cause, code = self._watch(child, started)
            seconds = time.monotonic() - started
            killed = end_all(self._user)
            if note := os.read(errors, 4096).decode(errors="replace"):
                cause = "refused"
            kept = self._keep()
        except (OSError, InvalidSetting, ImportError) as error:
            cause, note, seconds = "refused", str(error), time.monotonic() - started
        finally:
            end_all(self._user)
            self._clean_up()
        level = self._spec.level
        return Ending(cause, code, seconds, self._peak, killed, level, note, kept)

    def _prepare(self) -> None:
        limits = self._spec.limits
        has_mounts = False
        has_driver = self._spec.has_gpu and self._user is None  # it fails in a user namespace
        if not (has_driver or self._is_bare):
            has_mounts = unshare_mounts()
        if has_mounts:
            self._root = f"{self._scratch}.root"
            os.mkdir(self._root)
            sizes = (limits.disk_mib, limits.shared_mib)
            mount_view(self._root, self._scratch, self._spec.bases, sizes)
        elif self._user is not None:
            for path in self._spec.bases:
                if closed := find_private_folder(path):
                    raise InvalidSetting(
                        f"{closed} is closed to other users and root runs no program of others: "
                        "open it (chmod o+x), move the environment, or start as another user"
                    )
        if self._user is not None:
            os.chown(self._root + self._scratch, self._user, self._user)

    def _clean_up(self) -> None:
        with suppress(OSError):
            if self._root:
                unmount(self._root)
                os.rmdir(self._root)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _fork(self) -> tuple[int, int]:
        """The child's process id, and a pipe on which it says why it could not start."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                confine_and_start(self._spec, self._scratch, self._user, self._root)
            except BaseException as error:  # nothing may go on as a second guardian
                words = f"{type(error).__name__}: {error}"
                with suppress(OSError):
                    os.write(writer, words.encode(errors="replace")[:4000])
            finally:
                os._exit(127)
        os.close(writer)
        for stream in (0, 1):  # the command alone holds the pipes of its caller
            os.dup2(os.open(os.devnull, os.O_RDWR), stream)
        return child, reader

    def _watch(self, child: int, started: float) -> tuple[Cause, int | None]:
        """Wait for the end of the child, or of what it may use."""
        process = os.pidfd_open(child)
        events = select.poll()
        events.register(process, select.POLLIN)
        events.register(self._control, select.POLLIN | select.POLLHUP)
        while True:
            left = started + self._spec.limits.wall_s - time.monotonic()
            ready = dict(events.poll(max(0, min(_TICK_MS, int(left * 1000) + 1))))
            if process in ready:
                return "exit", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if os.getppid() != self._caller:
                return "abandoned", None
            if self._control in ready:
                return ("output" if os.read(self._control, 1) == b"o" else "stopped"), None
            if time.monotonic() - started >= self._spec.limits.wall_s:
                return "wall", None
            if found := self._excess():
                return found, None

    def _excess(self) -> Cause | None:
        """Which limit is passed, if any. Orphans that ended are buried."""
        limits, running = self._spec.limits, descendants(os.getpid())
        used = memory_mib(running, limits.memory_mib)
        self._peak = max(self._peak, used)
        if used > limits.memory_mib:
            return "memory"
        if num_threads(running) > limits.processes:
            return "processes"
        if not self._root and time.monotonic() - self._disk_at > _DISK_S:
            self._disk_at = time.monotonic()
            if folder_mib(self._scratch, running) > limits.disk_mib:
                return "disk"
        return None

    def _keep(self) -> tuple[str, ...]:
        """Copy the files that outlive the scratch folder: plain ones, not too large, no links."""
        kept = []
        for name in self._spec.keep:
            place = os.path.join(self._root + self._scratch, os.path.basename(name))
            with suppress(OSError):
                found = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                with os.fdopen(found, "rb") as file:
                    facts = os.fstat(found)
                    if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1:
                        continue
                    if facts.st_size > self._spec.limits.keep_mib * 2**20:
                        continue
                    with open(os.path.join(self._spec.kept_in, name), "xb") as copy:
                        shutil.copyfileobj(file, copy)
                    kept.append(name)
        return tuple(kept)


def serve(control: int, report: int) -> None:
    """One run: read its spec from `control`, write its ending to `report`."""
    text = bytearray()
    while not text.endswith(b"\n"):
        if not (more := os.read(control, 1 << 16)):
            return
        text += more
    ending = Guardian(Spec.from_json(text.decode()), control).run()
    with suppress(OSError):  # nobody reads it where the caller is gone
        os.write(report, json.dumps(asdict(ending)).encode())


def main() -> None:
    """One run; the arguments are two file descriptors."""
    control, report = int(sys.argv[1]), int(sys.argv[2])
    for one in (control, report):
        os.set_inheritable(one, False)
    serve(control, report)


if __name__ == "__main__":
    main()
