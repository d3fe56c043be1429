"""Does a population take the memory that the model says? Predicted against measured peaks.

Each population trains for a few steps in a process of its own. On a CPU the measured peak is that
of torch's allocator, from the memory events of its profiler, and of our kernels' arenas; what the
process's resident memory grew by stands beside it: the C library keeps freed blocks, and that is
why a population is given less than half of what is free (memory.py of the proxies). On a GPU it is
`max_memory_allocated`.

    python -m nasarena.experiments.measure.memory [--save] [--device=cuda]
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nasarena.experiments.execution.pool import results
from nasarena.experiments.execution.workers import LocalPool
from nasarena.experiments.measure.engine.timed_trainings import proxy_of, random_patterns
from nasarena.experiments.measure.record import record
from nasarena.search.proxy import TrialSeed

_STEPS = ("proxy.train.steps=3", "proxy.train.num_eval=16")
_RECALL = ("proxy=mad", "proxy.data.tasks=[in-context-recall]", "proxy.train.num_train=0")
# Settings and patterns; the larger sizes shallower or narrower in batch, so that a laptop has room.
CASES: tuple[tuple[str, tuple[str, ...], list[str]], ...] = (
    ("quick, 16 random", ("proxy=quick",), random_patterns(16)),
    ("quick, 64 random", ("proxy=quick", "proxy.population=64"), random_patterns(64)),
    ("quick, 16 of A", ("proxy=quick",), ["A" * 16] * 16),
    ("quick, 16 of M", ("proxy=quick",), ["M" * 16] * 16),
    ("quick, 16 of S", ("proxy=quick",), ["S" * 16] * 16),
    ("mad, batch 16, 4 random", (*_RECALL, "proxy.train.batch_size=16"), random_patterns(4)),
    ("text, batch 8, 2 random", ("proxy=text", "proxy.train.batch_size=8"), random_patterns(2)),
)


def measure() -> None:
    """Train every case, print, and keep if asked to."""
    options = dict(word[2:].split("=") for word in sys.argv[1:] if word.startswith("--device="))
    rows, summary = measure_memory(CASES, options.get("device", "cpu"))
    record("memory", rows, summary)


def measure_memory(
    cases: Sequence[tuple[str, tuple[str, ...], list[str]]], device: str
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows, and the ratio that is farthest from 1."""
    rows = [
        {"population": name, **_in_child((*settings, *_STEPS), patterns, device)}
        for name, settings, patterns in cases
    ]
    ratios = [row["predicted_over_measured"] for row in rows]
    worst = max(ratios, key=lambda ratio: max(ratio, 1 / ratio))
    return rows, {"predicted_over_measured": worst, "least": min(ratios), "largest": max(ratios)}


def _in_child(settings: tuple[str, ...], patterns: list[str], device: str) -> Mapping[str, Any]:
    """A fresh process: nothing that was freed before can hide what is taken.

    On a CPU another one calibrates before it: our kernels count the most that a process ever held,
    and a calibration trains larger models.
    """
    settings = (*settings, f"proxy.device={device}")
    if device == "cpu":
        results([lambda report: calibrate(settings, patterns[0])], LocalPool(1))
    (found,) = results([lambda report: peaks(settings, patterns)], LocalPool(1))
    return dict(found)


def calibrate(settings: tuple[str, ...], pattern: str) -> None:
    """Have what a pattern costs on record; called in a process of its own."""
    proxy_of(settings).cost(pattern)


def peaks(settings: tuple[str, ...], patterns: list[str]) -> dict[str, Any]:
    """Predicted and measured bytes of one population, in MB; called in a process of its own."""
    import torch

    proxy = proxy_of(settings)
    seeds = [TrialSeed(seed) for seed in range(len(patterns))]
    predicted = max(model.peak_bytes(patterns) for model in proxy.memory)
    proxy.evaluate(patterns[:1], seeds[:1])  # kernels and tables are there before
    if proxy.settings.device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        proxy.evaluate(patterns, seeds)
        peak, resident = torch.cuda.max_memory_allocated() - before, 0
    else:
        resident = _resident_growth(lambda: proxy.evaluate(patterns, seeds))
        peak = _peak_allocation(lambda: proxy.evaluate(patterns, seeds))
    return {
        "predicted_mb": predicted / 1e6,
        "measured_mb": peak / 1e6,
        "resident_mb": resident / 1e6,
        "predicted_over_measured": predicted / peak,
    }


def _peak_allocation(work: Any) -> int:
    """Largest sum of what torch had allocated on the CPU during `work`, above its beginning, and
    the largest that our kernels' arenas ever held."""
    from torch.profiler import ProfilerActivity, profile

    from nasarena.proxies.native.library import native_library

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    events = profiler.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    held = peak = 0
    for _, change in changes:
        held += change
        peak = max(peak, held)
    library = native_library()
    return peak + (library.nasarena_most_bytes() if library else 0)


def _resident_growth(work: Any) -> int:
    """How far the process's resident memory rose during `work` (Linux counts it)."""
    before = _status("VmRSS")
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    except OSError:
        return 0
    work()
    return _status("VmHWM") - before


def _status(name: str) -> int:
    lines = Path(f"/proc/{os.getpid()}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


if __name__ == "__main__":
    measure()
