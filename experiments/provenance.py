"""Where a run was made: commit, packages, hardware, command, date. Beside the config, not in it.

Two runs of one configuration may come from two machines; the report says so, replay does not care.
"""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("nasarena", "torch", "numpy", "optuna", "nevergrad", "botorch", "gpytorch", "scipy")


def provenance() -> dict[str, Any]:
    """What `run.json` says besides the configuration; imports none of the packages."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command_line(),
        "commit": commit(),
        "packages": {"python": platform.python_version()} | dict(map(_installed, PACKAGES)),
        "hardware": {
            "machine": platform.machine(),
            "system": platform.system(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
            "memory_gib": _memory_gib(),
        },
    }


def command_line() -> str:
    """What the user typed, as it can be typed again."""
    return " ".join(["nasarena", *sys.argv[1:]])


def commit() -> str:
    """Commit of this code, `+` where the working tree differs; `unknown` for an installed wheel."""
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--abbrev=12"]
    try:
        found = subprocess.run([*git, "--dirty=+", "--exclude=*"], capture_output=True, text=True)
    except OSError:
        return "unknown"
    return found.stdout.strip() or "unknown"


def _installed(package: str) -> tuple[str, str]:
    try:
        return package, version(package)
    except PackageNotFoundError:
        return package, "not installed"


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    except (ValueError, OSError):
        return None
