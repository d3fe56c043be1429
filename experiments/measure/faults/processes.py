"""Whether what a killed process had started ends with it."""

import time
from contextlib import suppress
from pathlib import Path

from nasarena.proxies.sandbox.processes import descendants


def living_below(process: int) -> dict[int, str]:
    """Living processes below one, whatever their group, each with when it began."""
    found = {one: _start_of(one) for one in descendants(process)}
    return {one: start for one, start in found.items() if start}


def wait_for_end(below: dict[int, str], patience_s: float) -> list[int]:
    """Those of `living_below` that live on when the patience is over."""
    deadline = time.monotonic() + patience_s
    while left := [one for one, start in below.items() if _start_of(one) == start]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return left


def _start_of(process: int) -> str:
    """When a process started, which tells it from a later one of its number; empty: it is gone."""
    with suppress(OSError, IndexError):
        words = Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return "" if words[0] in "ZX" else words[19]
    return ""
