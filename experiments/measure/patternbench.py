"""How good is PatternBench's surrogate, and how fast does it answer?

Kendall's tau between the served surrogate and the mean of two trainings, over uniform patterns that
nothing was fitted to, beside the noise ceiling (`experiments/patternbench/quality.py`). By default
these are the shipped test rows, and `tau_slice` is that of the test patterns over A and M alone;
`fresh=64` trains so many uniform patterns now, on two run seeds that no row has. Speed is that of
one thread: scores a second of a million random ranks, microseconds of a pattern given as text,
seconds to materialize all 3^16 scores into an empty cache.

    python -m nasarena.experiments.measure.patternbench [--save] [fresh=64]
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasarena.experiments.measure.record import record
from nasarena.experiments.patternbench.features import digits_of
from nasarena.experiments.patternbench.quality import Quality, quality
from nasarena.experiments.patternbench.report import qualities_of
from nasarena.experiments.patternbench.sample import sample_of
from nasarena.proxies.patternbench.benchmark import DATA, ROWS, SURROGATE, PatternBench
from nasarena.proxies.patternbench.held_out import REPORT
from nasarena.proxies.patternbench.rows import read_rows
from nasarena.proxies.patternbench.surrogate import Surrogate
from nasarena.search.errors import InvalidSetting, ProxyFailed
from nasarena.search.machine import default_to_one_thread
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

SPACE = PatternSpace("AMS", 16)
_NUM_BATCH, _NUM_SINGLE, _NUM_REPEATS = 1_000_000, 20_000, 3
_FIRST_FRESH_SEED = 1000

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Speed:
    """Of one thread, the best of a few repeats but for `materialize_s`, which is measured once."""

    batch_per_s: float
    single_us: float
    materialize_s: float


def measure(num_fresh: int) -> None:
    """Compare, time, print, and keep if asked to."""
    found, part = (fresh_quality(num_fresh), None) if num_fresh else shipped_qualities(DATA)
    if found is None:
        raise ProxyFailed("the shipped rows hold too few test patterns to judge a surrogate by")
    summary = {
        **asdict(found),
        **(_slice_facts(part) if part else {}),
        **asdict(speed(DATA)),
        "tested_on": "fresh trainings" if num_fresh else "shipped test rows",
        **_sample(DATA),
    }
    record("patternbench", _kinds(DATA), summary)


def shipped_qualities(data: Path) -> tuple[Quality | None, Quality | None]:
    """The served surrogate on the test rows, uniform ones and those of the slice."""
    sample = sample_of(read_rows(data / ROWS)[1])
    return qualities_of(sample, _surrogate_scores(data, sample.digits))


def fresh_quality(count: int) -> Quality:
    """The served surrogate on patterns trained now; each seed centred, its offset is common."""
    from nasarena.experiments.commands.evaluate import score_patterns
    from nasarena.experiments.execution.console import make_console
    from nasarena.experiments.settings.commands import evaluate_settings

    rng = stream(0, "patternbench fresh")
    patterns = list(dict.fromkeys(SPACE.sample(rng) for _ in range(count)))
    config = evaluate_settings([f"proxy={read_rows(DATA / ROWS)[0]['proxy']}"])
    seeds = range(_FIRST_FRESH_SEED, _FIRST_FRESH_SEED + 2)
    outcomes = score_patterns(
        patterns, seeds, config.proxy, SPACE, config.cache, None, make_console(stderr=True)
    )
    pairs = np.array([[outcome.score for outcome in row] for row in outcomes], dtype=np.float64)
    pairs -= pairs.mean(axis=0)
    return quality(_surrogate_scores(DATA, digits_of(patterns)), pairs)


def speed(data: Path) -> Speed:
    """Times of a proxy that is loaded, with an empty cache."""
    rng = stream(0, "patternbench speed")
    indices = rng.integers(SPACE.size, size=_NUM_BATCH)
    patterns = [SPACE.pattern(int(index)) for index in indices[:_NUM_SINGLE]]
    bench = PatternBench("patternbench", SPACE, data)
    batch_s, single_s = [], []
    for _ in range(_NUM_REPEATS):
        start = time.perf_counter()
        bench.true_scores(indices)
        batch_s.append(time.perf_counter() - start)
        start = time.perf_counter()
        for pattern in patterns:
            bench.true_score(pattern)
        single_s.append(time.perf_counter() - start)
    with _empty_cache():
        start = time.perf_counter()
        bench.all_scores()
        materialize_s = time.perf_counter() - start
    return Speed(_NUM_BATCH / min(batch_s), min(single_s) / _NUM_SINGLE * 1e6, materialize_s)


@contextmanager
def _empty_cache() -> Iterator[None]:
    """Within it nothing that was ever kept in the cache is found."""
    kept = os.environ.get("NASARENA_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NASARENA_CACHE"] = folder
        try:
            yield
        finally:
            del os.environ["NASARENA_CACHE"]
            if kept is not None:
                os.environ["NASARENA_CACHE"] = kept


def _surrogate_scores(data: Path, digits: NDArray[np.int64]) -> Floats:
    codes = digits @ 3 ** np.arange(SPACE.depth - 1, -1, -1)
    return Surrogate.load(data / SURROGATE).network.scores(codes)


def _slice_facts(found: Quality) -> dict[str, Any]:
    return {
        "tau_slice": found.kendall_tau,
        "tau_slice_interval": found.tau_interval,
        "ceiling_slice": found.noise_ceiling,
        "ceiling_slice_interval": found.ceiling_interval,
        "tau_top_tenth_slice": found.tau_top_tenth,
        "ceiling_top_tenth_slice": found.ceiling_top_tenth,
        "num_patterns_slice": found.num_patterns,
    }


def _kinds(data: Path) -> list[dict[str, Any]]:
    """The nested comparison, as the fit wrote it down."""
    report = json.loads((data / REPORT).read_text())
    return [
        {
            "kind": kind["name"],
            "nested_error": kind["error"],
            "chosen": kind["name"] == report["winner"],
        }
        for kind in report["kinds"]
    ]


def _sample(data: Path) -> dict[str, Any]:
    _, rows = read_rows(data / ROWS)
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.pattern] = counts.get(row.pattern, 0) + (row.score is not None)
    return {
        "trainings": len(rows),
        "patterns": len(counts),
        "repeated_patterns": sum(count > 1 for count in counts.values()),
        "data_bytes": sum(file.stat().st_size for file in data.iterdir()),
    }


def main() -> None:
    """`fresh=N` besides what `record` reads."""
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    num_fresh = 0
    for word in words:
        key, _, value = word.partition("=")
        if key != "fresh" or not value.isdigit():
            raise InvalidSetting(f"expected fresh=N, got {word!r}")
        num_fresh = int(value)
    default_to_one_thread()
    measure(num_fresh)


if __name__ == "__main__":
    main()
