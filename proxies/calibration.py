"""Seconds per layer kind, measured once on a device and kept: what a budget of seconds is made of.

A clock never says the same twice, and a budget in seconds must: so the seconds of a trial are those
of a model, `base + one term per letter`, whose terms are measured once per (proxy, device) and
read from the cache ever after. All searchers pay the same price for the same pattern.
"""

import json
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from nasarena.proxies.cache_folder import cache_folder
from nasarena.search.space import PatternSpace

_NUM_STEPS = 8
_NUM_REPEATS = 3

# (pattern, number of steps) -> seconds that a whole training would take at that pace.
Measure = Callable[[str, int], float]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Seconds of a training: `base`, and what each layer of a kind adds."""

    base: float
    per_letter: Mapping[str, float]

    def seconds(self, pattern: str) -> float:
        """Modelled seconds of one training of `pattern`."""
        return self.base + sum(self.per_letter[letter] for letter in pattern)


def calibrated(measure: Measure, space: PatternSpace, version: str) -> Calibration:
    """The kept calibration of this proxy on this machine, measured now if there is none."""
    machine = f"{platform.machine()}-{platform.processor() or 'cpu'}-{os.cpu_count()}"
    file = cache_folder() / "calibration" / f"{version}-{machine}.json"
    if not file.exists():
        _keep(_measured(measure, space), file)
    return Calibration(**json.loads(file.read_text()))


def _measured(measure: Measure, space: PatternSpace) -> Calibration:
    """Fastest of a few repeats: what disturbs a measurement only ever makes it longer.

    Full stacks of one letter, and half as deep a stack to tell the layers from the rest.
    """
    first = space.alphabet[0]
    half = max(1, space.depth // 2)
    measure(first, 2)  # warm-up
    best = {
        pattern: min(measure(pattern, _NUM_STEPS) for _ in range(_NUM_REPEATS))
        for pattern in [first * half, *(letter * space.depth for letter in space.alphabet)]
    }
    whole = best[first * space.depth]
    per_first = max(0.0, (whole - best[first * half]) / max(1, space.depth - half))
    base = max(1e-9, whole - per_first * space.depth)
    per_letter = {
        letter: max(1e-9, (best[letter * space.depth] - base) / space.depth)
        for letter in space.alphabet
    }
    return Calibration(base, per_letter)


def _keep(calibration: Calibration, file: Path) -> None:
    """Write whole or not at all; of two processes the first one wins."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(asdict(calibration), indent=1) + "\n")
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
