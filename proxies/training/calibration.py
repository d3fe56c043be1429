"""Seconds per layer kind, measured once on a device and kept: what a budget of seconds is made of.

A clock never says the same twice, and a budget in seconds must: so the seconds of a trial are those
of a model, `base + one term per letter`, whose terms are measured once per (proxy, device) and
read from the cache ever after. All searchers pay the same price for the same pattern.
"""

import json
import logging
import os
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from math import fsum, inf
from pathlib import Path

from nasarena.search.errors import InvalidSetting
from nasarena.search.machine import cache_folder
from nasarena.search.space import PatternSpace

_NUM_STEPS = 8
_NUM_REPEATS = 3
_LONG_S = 1.0  # of a step; where it takes longer, fewer steps are measured, once
_LOG = logging.getLogger(__name__)

# (pattern, number of steps) -> seconds that a whole training would take at that pace.
Measure = Callable[[str, int], float]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Seconds of a training: `base`, and what each layer of a kind adds."""

    base: float
    per_letter: Mapping[str, float]

    def seconds(self, pattern: str) -> float:
        """Modelled seconds of one training of `pattern`, the same under every Python."""
        return self.base + fsum(self.per_letter[letter] for letter in pattern)


def calibrate(measure: Measure, space: PatternSpace, version: str) -> Calibration:
    """The kept calibration of this proxy on this machine, measured now if there is none."""
    machine = f"{platform.machine()}-{platform.processor() or 'cpu'}-{os.cpu_count()}"
    file = cache_folder() / "calibration" / f"{version}-{machine}.json"
    kept = _read(file, space.alphabet)
    if kept is not None:
        return kept
    measured = _measure(measure, space)
    try:
        _keep(measured, file)
    except OSError as error:
        _LOG.warning(
            "the calibration cannot be kept in %s (%s): the next run measures anew, and its "
            "seconds will differ a little; make room or set NASARENA_CACHE",
            file.parent, error.strerror,
        )  # fmt: skip
        return measured
    return _read(file, space.alphabet) or measured  # another process may have been the first


def _measure(measure: Measure, space: PatternSpace) -> Calibration:
    """By stacks as deep as the space's, or half as deep, and so on, where they do not fit.

    Raises InvalidSetting where two layers do not.
    """
    depth, least = space.depth, min(2, space.depth)
    while True:
        try:
            return _measure_at(depth, measure, space.alphabet)
        except MemoryError as error:
            if depth == least:
                raise InvalidSetting(f"a model of two layers cannot be trained: {error}") from error
            depth = max(least, depth // 2)


def _measure_at(depth: int, measure: Measure, alphabet: str) -> Calibration:
    """Fastest of a few repeats: what disturbs a measurement only ever makes it longer.

    Stacks of one letter, and half as deep a stack to tell the layers from the rest.
    """
    first = alphabet[0]
    half = max(1, depth // 2)
    patterns = [first * half, *(letter * depth for letter in alphabet)]
    measure(first * depth, 1)  # the first training of a process starts libraries
    start = time.perf_counter()
    measure(first * depth, 2)
    step_s = (time.perf_counter() - start) / 2
    num_steps, num_repeats = (_NUM_STEPS, _NUM_REPEATS) if step_s < _LONG_S else (2, 1)
    expected_s = step_s * num_steps * num_repeats * len(patterns)
    if expected_s > 10:
        _LOG.warning("measuring once what training costs here: about %.0f s", expected_s)
    best = {
        pattern: min(measure(pattern, num_steps) for _ in range(num_repeats))
        for pattern in patterns
    }
    whole = best[first * depth]
    per_first = max(0.0, (whole - best[first * half]) / max(1, depth - half))
    base = max(1e-9, whole - per_first * depth)
    per_letter = {letter: max(1e-9, (best[letter * depth] - base) / depth) for letter in alphabet}
    return Calibration(base, per_letter)


def _read(file: Path, alphabet: str) -> Calibration | None:
    """What is kept there, or nothing; a damaged file is measured anew, and that is said."""
    try:
        values = json.loads(file.read_text())
        per_letter = {letter: _seconds(values["per_letter"][letter]) for letter in alphabet}
        return Calibration(_seconds(values["base"]), per_letter)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        _LOG.warning("the calibration %s was damaged: it is measured anew", file)
        with suppress(OSError):
            file.unlink()
        return None


def _seconds(value: object) -> float:
    """A time that a training can take. Raises ValueError or TypeError for anything else."""
    seconds = float(value)  # type: ignore[arg-type]
    if not 0 < seconds < inf:
        raise ValueError(f"seconds must be positive and finite, got {seconds}")
    return seconds


def _keep(calibration: Calibration, file: Path) -> None:
    """Write whole or not at all; of two processes the first one wins."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}")
    try:
        draft.write_text(json.dumps(asdict(calibration), indent=1) + "\n")
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
