"""Where a run was made: commit, packages, hardware, command, date. Beside the config, not in it.

Two runs of one configuration may come from two machines; the report says so, replay does not care.
"""

import os
import platform
import shlex
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nasarena.search.machine import num_cores

PACKAGES = ("nasarena", "torch", "numpy", "scipy", "optuna", "nevergrad", "botorch", "gpytorch")


def provenance(command: str) -> dict[str, Any]:
    """What `run.json` says besides the configuration; imports none of the packages."""
    packages = {name: version_of(name) for name in PACKAGES}
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "commit": commit(),
        "packages": {"python": platform.python_version()}
        | {name: version for name, version in packages.items() if version},
        "hardware": hardware(),
    }


def hardware() -> dict[str, Any]:
    """Processor, cores that may be used, and memory."""
    found = {"machine": platform.machine(), "processor": _processor(), "cores": num_cores()}
    return found | {"memory_gib": memory_gib()}


def version_of(package: str) -> str | None:
    """The version of an installed package, without importing it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def commit(*ignored: str) -> str | None:
    """Commit of this code, `+` where the working tree differs, the `ignored` folders apart.

    None for an installed wheel.
    """
    git = ["git", "-C", str(Path(__file__).resolve().parent)]
    outside = [f":(top,exclude){folder}" for folder in ignored]
    try:
        tracked = [*git, "ls-files", "--error-unmatch", "provenance.py"]
        subprocess.run(tracked, capture_output=True, check=True)
        head = [*git, "rev-parse", "--short=12", "HEAD"]
        found = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
        changes = [*git, "diff", "--quiet", "HEAD", "--", ":/", *outside]
        differs = subprocess.run(changes, capture_output=True).returncode != 0
    except (OSError, subprocess.CalledProcessError):
        return None
    return found + ("+" if differs else "")


def memory_gib() -> float | None:
    """Memory of this machine."""
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    except (ValueError, OSError):
        return None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def command_line(arguments: Sequence[str]) -> str:
    """What the user typed, as it can be typed again."""
    return shlex.join(["nasarena", *arguments])
