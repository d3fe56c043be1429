"""Which fences there are on this machine, and which one a run gets.

    limits      limits on processes and an emptied environment: nothing is hidden, networks are open
    landlock    and Landlock for files, TCP and signals, seccomp for other calls (Linux 5.13)
    sandlock    and a supervisor that answers calls itself (Linux 6.12)
    bubblewrap  namespaces, where `bwrap` is there and may make them
    container   a command line of yours that starts a container

A run gets `landlock` where it is there, else `limits`. The others are taken when they are named:
they cost more. `require_sandbox=LEVEL` refuses to run with less than LEVEL.
"""

import shutil
import subprocess
from functools import cache
from importlib.util import find_spec

from nasarena.proxies.sandbox.limits import LEVELS, Level
from nasarena.search.errors import InvalidSetting

_INSTALL = "pip install 'nasarena[sandbox]'"


@cache
def why_missing(level: Level) -> str:
    """One line on what this machine lacks for a level; empty where it is there."""
    if level == "landlock":
        return _lacks_landlock()
    if level == "sandlock":
        return _lacks_sandlock()
    if level == "bubblewrap":
        return _lacks_bubblewrap()
    return ""


def choose_level(require: str | None = None, container: str = "") -> Level:
    """The level required, `landlock` or else `limits` where none is.

    Raises InvalidSetting for a level that is unknown or is not there: never runs below it.
    """
    if require is None or require == "limits":
        return "limits" if why_missing("landlock") else "landlock"
    if require not in LEVELS:
        raise InvalidSetting(f"require_sandbox must be one of {', '.join(LEVELS)}, got {require!r}")
    if require == "container" and not container:
        raise InvalidSetting("require_sandbox=container needs a command line in `container`")
    _refuse(require)
    return require


def _refuse(level: Level) -> None:
    if missing := why_missing(level):
        raise InvalidSetting(f"require_sandbox={level} cannot be had here: {missing}")


def _lacks_landlock() -> str:
    for package in ("landlockpy", "seccompy"):
        if find_spec(package) is None:
            return f"{package} is not installed: {_INSTALL}"
    import landlockpy
    import seccompy

    if landlockpy.abi_version() < 1:
        return "this kernel has no Landlock (it needs 5.13, switched on)"
    return "" if seccompy.supported() else "this kernel has no seccomp filters"


def _lacks_sandlock() -> str:
    if missing := _lacks_landlock():
        return missing
    if find_spec("sandlock") is None:
        return f"sandlock is not installed: {_INSTALL}"
    import sandlock

    found, needed = sandlock.landlock_abi_version(), sandlock.min_landlock_abi()
    return "" if found >= needed else f"this kernel has Landlock {found}, sandlock needs {needed}"


def _lacks_bubblewrap() -> str:
    if shutil.which("bwrap") is None:
        return "there is no program bwrap: install bubblewrap"
    words = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]
    found = subprocess.run(words, capture_output=True, text=True, timeout=20)
    return "" if found.returncode == 0 else f"bwrap may not make namespaces: {found.stderr.strip()}"
