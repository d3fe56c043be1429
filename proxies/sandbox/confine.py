"""What a forked process does to itself before it becomes the command: from limits to the fence.

Everything raises OSError or InvalidSetting where a fence cannot be put up; the command is then not
started.
"""

import os
import resource
import runpy
import shlex
import signal
import sys
import tempfile
import traceback
from contextlib import suppress
from typing import NoReturn

from nasarena.proxies.sandbox import kernel_calls as kernel
from nasarena.proxies.sandbox.landlock_fence import raise_fence
from nasarena.proxies.sandbox.limits import Limits, Spec
from nasarena.proxies.sandbox.mounts import SHARED_MEMORY
from nasarena.proxies.sandbox.sandlock_fence import run_fenced
from nasarena.search.errors import InvalidSetting

_MIB = 2**20
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/alternatives", "/etc/ld.so.cache")


def confine_and_start(spec: Spec, scratch: str, user: int | None, root: str) -> None:
    """Become the command, or raise.

    `user` is whom to become, None to stay who one is; `root` what becomes `/`, empty to keep it.
    """
    os.setsid()
    kernel.die_with_parent(signal.SIGKILL)
    if root:
        kernel.enter_root(root)
    os.chdir(scratch)
    os.umask(0o077)
    _limit(spec.limits, spec.has_gpu, user)
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        kernel.die_with_parent(signal.SIGKILL)  # a change of user clears it
    if spec.level != "container":
        kernel.renounce_privileges()
        kernel.drop_capabilities()
    writable = [scratch, *([SHARED_MEMORY] if root else [])]
    environment = {**spec.environment, **_own_environment(scratch)}
    if spec.level == "landlock":
        raise_fence(spec, writable)
    elif spec.level == "sandlock":
        code = run_fenced(spec, writable, environment)
        if code < 0:
            os.kill(os.getpid(), -code)  # end as the command did
        os._exit(code & 0xFF)
    if spec.script:
        _run_script(spec.script, environment)
    command = _words(spec, scratch)
    os.execvpe(command[0], command, environment)


def _run_script(file: str, environment: dict[str, str]) -> NoReturn:
    """Run a file of Python in this process and end; nothing but the standard streams is open."""
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # the guardian has asked for it, and it is remembered
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    sys.argv = [file]
    code = 1
    try:
        runpy.run_path(file, run_name="__main__")
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code & 0xFF)


def _limit(limits: Limits, has_gpu: bool, user: int | None) -> None:
    processes = limits.processes
    if user is None:  # the kernel counts all processes of the user, those outside too
        processes += _num_threads_of(os.getuid())
    bounds = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: limits.cpu_s,
        resource.RLIMIT_FSIZE: limits.file_mib * _MIB,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_NPROC: processes,
        resource.RLIMIT_MEMLOCK: 8 * _MIB,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    if not has_gpu:  # drivers reserve more than there is; the guardian measures what is used
        bounds[resource.RLIMIT_DATA] = (2 * limits.memory_mib + 1024) * _MIB
    for which, most in bounds.items():
        _, hard = resource.getrlimit(which)
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (value, value))


def _num_threads_of(user: int) -> int:
    total = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{name}").st_uid == user:
                total += len(os.listdir(f"/proc/{name}/task"))
        except OSError:
            continue
    return total


def _own_environment(scratch: str) -> dict[str, str]:
    return {"HOME": scratch, "TMPDIR": scratch, "TORCHINDUCTOR_CACHE_DIR": f"{scratch}/.inductor"}


def _words(spec: Spec, scratch: str) -> list[str]:
    if spec.level == "bubblewrap":
        return [*_bubblewrap(spec, scratch), *spec.command]
    if spec.level == "container":
        places = {"scratch": scratch, "memory_mib": spec.limits.memory_mib}
        try:
            outer = shlex.split(spec.container.format(**places))
        except (KeyError, IndexError, ValueError) as error:
            raise InvalidSetting(f"container must be a command line, got {error}") from error
        return [*outer, *spec.command]
    return list(spec.command)


def _bubblewrap(spec: Spec, scratch: str) -> list[str]:
    words = ["bwrap", "--unshare-all", "--die-with-parent", "--proc", "/proc", "--dev", "/dev"]
    words += ["--perms", "1777", "--tmpfs", SHARED_MEMORY, "--cap-drop", "ALL"]
    for one in sorted({*_SYSTEM, *spec.bases}):
        words += ["--ro-bind-try", one, one]
    for one in spec.devices:
        if one.startswith("/dev/nvidia"):
            words += ["--dev-bind", one, one]
    return [*words, "--bind", scratch, scratch, "--chdir", scratch, "--"]
