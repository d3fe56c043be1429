"""The escape suite: what is held on this machine, and what is not.

Most attempts are made from within one sandbox (`attempts.py`); those that use too much of something
are runs of their own, each bounded by the limits that it tests.
"""

import json
import os
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from nasarena.proxies.sandbox import attempts
from nasarena.proxies.sandbox.limits import Ending, Level, Limits
from nasarena.proxies.sandbox.runner import Finished, run_command

_PACKAGE = Path(__file__).parents[1]
_SMALL = Limits(
    wall_s=20, memory_mib=200, shared_mib=16, disk_mib=16, file_mib=64, processes=64, output_kib=64
)
_SECRET = "NASARENA_ESCAPE_SECRET"


def try_escapes(level: Level) -> dict[str, bool]:
    """Every attempt by its name, and whether it was held at this level."""
    return {**_from_within(level), **_excesses(level)}


def _from_within(level: Level) -> dict[str, bool]:
    with ExitStack() as stack:
        places = stack.enter_context(_places())
        os.environ[_SECRET] = "x"
        stack.callback(os.environ.pop, _SECRET)
        command = (sys.executable, "-I", "-S", attempts.__file__, json.dumps(places))
        found = run_command(command, replace(_SMALL, wall_s=120), level, (attempts.__file__,))
    if not found.ending.is_clean:
        raise RuntimeError(f"{found.ending}: {found.errors[-2000:]}")
    return {str(name): bool(held) for name, held in json.loads(found.output).items()}


@contextmanager
def _places() -> Iterator[dict[str, object]]:
    """Files that only a fence protects, servers that answer, and a process to be signalled."""
    with tempfile.TemporaryDirectory(prefix="nasarena-escape-") as folder, ExitStack() as stack:
        os.chmod(folder, 0o777)
        for name in ("secret", "open", "spare", "labels"):
            Path(folder, name).write_text("secret")
            os.chmod(Path(folder, name), 0o666)
        servers = _servers(stack, folder)
        victim = subprocess.Popen(["sleep", "300"])
        stack.callback(victim.wait)
        stack.callback(victim.kill)
        yield {
            **{name: f"{folder}/{name}" for name in ("secret", "open", "spare", "labels")},
            "folder": folder,
            **servers,
            "caller": os.getpid(),
            "disks": [str(one) for one in Path("/dev").glob("[svn][dv][am]*")],
            "victim": victim.pid,
            "home": os.path.expanduser("~"),
            "source": str(Path(__file__)),
            "text": str(_PACKAGE / "data" / "shipped_prose.tar.xz"),
            "library": sysconfig.get_paths()["stdlib"],
            "packages": sysconfig.get_paths()["purelib"],
        }


def _servers(stack: ExitStack, folder: str) -> dict[str, object]:
    """One of each kind that answers: their ports, file and name."""
    tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    udp.bind(("127.0.0.1", 0))
    abstract = f"nasarena-escape-{os.getpid()}"
    for address in (f"{folder}/socket", f"\0{abstract}"):
        server = stack.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(address)
        server.listen()
    os.chmod(f"{folder}/socket", 0o777)
    return {
        "tcp": tcp.getsockname()[1],
        "udp": udp.getsockname()[1],
        "unix": f"{folder}/socket",
        "abstract": abstract,
    }


def _excesses(level: Level) -> dict[str, bool]:
    def held(code: str, check: Callable[[Finished], bool], limits: Limits = _SMALL) -> bool:
        found = run_command((sys.executable, "-I", "-S", "-c", code), limits, level)
        return found.ending.cause != "refused" and check(found)

    short = replace(_SMALL, wall_s=1.0)
    return {name: held(code, check, short) if name in _SHORT else held(code, check)
            for name, (code, check) in _EXCESSES.items()}  # fmt: skip


def _ended_by(*causes: str) -> Callable[[Finished], bool]:
    return lambda found: found.ending.cause in causes


def _says_less_than(most: float) -> Callable[[Finished], bool]:
    """The command was ended, or says a number that is below."""

    def check(found: Finished) -> bool:
        words = found.output.split()
        return not found.ending.is_clean or (bool(words) and float(words[-1]) < most)

    return check


def _left_nothing(found: Finished) -> bool:
    """The process that the command names is gone."""
    time.sleep(0.05)
    return bool(found.output) and not os.path.exists(f"/proc/{int(found.output.split()[-1])}")


def _is_brief(ending: Ending) -> bool:
    return ending.seconds < 5.0


_EXCESSES: dict[str, tuple[str, Callable[[Finished], bool]]] = {
    "memory: of one process": (
        "import time\nkept = []\nfor _ in range(99): kept.append(b'x' * (8 << 20))\ntime.sleep(9)",
        _ended_by("memory"),
    ),
    "memory: of several processes": (
        "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n"
        "        kept = bytearray(60 << 20); time.sleep(9); os._exit(0)\ntime.sleep(9)",
        _ended_by("memory"),
    ),
    "memory: shared": (
        "n = 0\ntry:\n    with open('/dev/shm/x', 'wb') as f:\n"
        "        for _ in range(64): n += f.write(bytes(1 << 20))\nexcept OSError: pass\n"
        "print(n >> 20)",
        _says_less_than(17),
    ),
    "disk: the scratch folder": (
        "import time\nn = 0\ntry:\n    with open('x', 'wb', buffering=0) as f:\n"
        "        for _ in range(60): n += f.write(bytes(1 << 20))\n    time.sleep(1)\n"
        "except OSError: pass\nprint(n >> 20)",
        _says_less_than(17),
    ),
    "disk: a file that is deleted and open": (
        "import os, time\nn = 0\ntry:\n    f = open('x', 'wb', buffering=0); os.unlink('x')\n"
        "    for _ in range(60): n += f.write(bytes(1 << 20))\n    time.sleep(1)\n"
        "except OSError: pass\nprint(n >> 20)",
        _says_less_than(17),
    ),
    "disk: a file larger than any may be": (
        "import os, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "f = open('x', 'wb')\ntry: f.truncate(1 << 40); print(1 << 40)\nexcept OSError: print(0)",
        _says_less_than(1 << 30),
    ),
    "processes: a fork bomb": (
        "import os, time\nn = 0\ntry:\n    for _ in range(200):\n"
        "        if os.fork() == 0: time.sleep(9); os._exit(0)\n        n += 1\n"
        "except OSError: pass\nprint(n)",
        _says_less_than(65),
    ),
    "processes: threads without number": (
        "import threading, time\nn = 0\ntry:\n    for _ in range(200):\n"
        "        threading.Thread(target=time.sleep, args=(2,), daemon=True).start(); n += 1\n"
        "except RuntimeError: pass\nprint(n, flush=True)\nimport os; os._exit(0)",
        _says_less_than(65),
    ),
    "processes: open files without number": (
        "n = 0\nkept = []\ntry:\n    for _ in range(5000): kept.append(open('/dev/null')); n += 1\n"
        "except OSError: pass\nprint(n)",
        _says_less_than(1025),
    ),
    "processes: a daemon of a daemon": (
        "import os, time\nr, w = os.pipe()\nif os.fork() == 0:\n    os.setsid()\n"
        "    if os.fork() == 0: os.write(w, str(os.getpid()).encode()); time.sleep(60)\n"
        "    os._exit(0)\nprint(os.read(r, 20).decode())",
        _left_nothing,
    ),
    "processes: one that ignores signals": (
        "import os, signal, time\nfor n in range(1, 65):\n"
        "    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"
        "print(os.getpid(), flush=True)\nwhile True: time.sleep(1)",
        _left_nothing,
    ),
    "clock: an endless loop": ("while True: pass", lambda found: _is_brief(found.ending)),
    "clock: an endless sleep": (
        "import time\nwhile True: time.sleep(60)",
        lambda found: _is_brief(found.ending),
    ),
    "output: a gigabyte": (
        "for _ in range(1024): print('x' * (1 << 20))",
        _ended_by("output"),
    ),
    "output: a gigabyte of errors": (
        "import sys\nfor _ in range(1024): sys.stderr.write('x' * (1 << 20))",
        lambda found: len(found.errors) <= 64 * 1024,
    ),
}  # fmt: skip
_SHORT = {
    "clock: an endless loop", "clock: an endless sleep", "processes: one that ignores signals",
}  # fmt: skip
