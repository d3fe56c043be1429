"""The fence of level `sandlock`: that library runs the command, inside our Landlock rules.

It adds to `landlock` a supervisor that answers some system calls itself (sockets, processes,
/proc). Files are held twice: by our rules, which the supervisor is under as well, and by its own,
which know no folder whose names alone may be read. The calls refused are those of `landlock`.
"""

import os
from collections.abc import Iterable, Mapping

from nasarena.proxies.sandbox.kernel_calls import allow_inspection
from nasarena.proxies.sandbox.landlock_fence import (
    REFUSED,
    REFUSED_WITHOUT_GPU,
    restrict_files,
)
from nasarena.proxies.sandbox.limits import Spec


def run_fenced(spec: Spec, writable: Iterable[str], environment: Mapping[str, str]) -> int:
    """Run the command to its end; its exit code, a negative one for a signal that ended it."""
    from sandlock import Sandbox, StdioMode

    os.environ.clear()
    os.environ.update(environment)
    folders = list(writable)
    readable = [one for one in (*spec.readable, *spec.listed) if os.path.exists(one)]
    sandbox = Sandbox(
        fs_readable=[*readable, "/proc/self"],
        fs_writable=[*folders, *spec.devices],
        extra_deny_syscalls=list(REFUSED if spec.has_gpu else (*REFUSED, *REFUSED_WITHOUT_GPU)),
        max_processes=spec.limits.processes,
        env=dict(environment),
        cwd=folders[0],
    )
    same = StdioMode.INHERIT
    allow_inspection()  # the supervisor reads its own /proc, closed after a change of user
    restrict_files(spec, folders, ("/proc",))
    with sandbox.popen(list(spec.command), stdin=same, stdout=same, stderr=same) as process:
        result = process.wait()
    return -result.signal if result.signal > 0 else int(result.exit_code)
