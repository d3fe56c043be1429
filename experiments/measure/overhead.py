"""What the arena itself costs: the loop per trial, a searcher's ask and tell, and `--help`.

`harness_ms` is the median time from one trial to the next of a random search on a landscape: ask,
check, reserve, evaluate, settle, append and flush, tell.

The time of a searcher is that of one ask and one tell once 200 trials were told: `first_ms` the
very first, in which a model is fitted to all of them from nothing, the median, mean and slowest
those that follow. BoTorch and Composer fit again only when the trials have grown by a fifth, so
their medians are asks without a fit. All cores may be used.

    python -m nasarena.experiments.measure.overhead [--save]
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from nasarena.experiments.measure.record import record
from nasarena.experiments.settings.registry import load_searcher
from nasarena.proxies.landscapes import additive
from nasarena.search.budget import Budget
from nasarena.search.loop import LoopSettings, run_to_end
from nasarena.search.proxy import Proxy, TrialSeed
from nasarena.search.run_folder import RunFolder
from nasarena.search.searcher import Searcher, build_searcher
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

TOLD = 200
NUM_IMPORTING = 12  # more than the random start of a searcher with a model
NUM_LOOP_TRIALS = 3000
NUM_HELPS = 5
# Asks timed after the 200 trials: fewer of those that take long.
NUM_ASKS = {
    "random": 100,
    "local-search": 100,
    "evolution": 100,
    "genetic": 100,
    "ngram-thompson": 40,
    "tpe": 40,
    "gp-optuna": 10,
    "nevergrad": 40,
    "nevergrad-choice": 40,
    "botorch": 20,
    "composer": 10,
    "composer-end": 10,
    "composer-middle": 10,
}


def measure() -> None:
    """Measure, print, and keep if asked to."""
    proxy = additive(PatternSpace("AMS", 16))
    times_s = {"harness": loop_times(proxy, NUM_LOOP_TRIALS)}
    first_s = {}
    for name, count in NUM_ASKS.items():
        first_s[name], *times_s[name] = ask_and_tell_times(name, proxy, count + 1)
    times_s["nasarena --help"] = help_times(NUM_HELPS)
    middle = {name: median(seconds) for name, seconds in times_s.items()}
    record(
        "overhead",
        [_row(name, seconds, first_s.get(name)) for name, seconds in times_s.items()],
        {
            "harness_ms": 1e3 * middle["harness"],
            "evolution_ms": 1e3 * middle["evolution"],
            "tpe_ms": 1e3 * middle["tpe"],
            "botorch_s": middle["botorch"],
            "help_s": middle["nasarena --help"],
        },
    )


def loop_times(proxy: Proxy, num_trials: int) -> list[float]:
    """Seconds from each trial to the next of a random search in the real loop."""
    spec = load_searcher("random")
    settings = LoopSettings(0, Budget("trials", num_trials), finalists=0)
    moments: list[float] = []
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder) / "run", {}, {}) as run:
        run_to_end(
            run,
            lambda rng: build_searcher(spec, proxy.space, rng, {}, num_trials=num_trials),
            proxy,
            settings,
            watch=lambda trial, ledger: moments.append(time.perf_counter()),
        )
    return [later - earlier for earlier, later in zip(moments, moments[1:], strict=False)]


def ask_and_tell_times(name: str, proxy: Proxy, num_asks: int) -> list[float]:
    """Seconds of one ask and one tell each, from the state after `TOLD` random trials on."""
    # The first ask imports what the searcher needs.
    _prepare_searcher(name, proxy, NUM_IMPORTING, num_asks).ask(1)
    searcher = _prepare_searcher(name, proxy, TOLD, num_asks)
    times_s = []
    for index in range(TOLD, TOLD + num_asks):
        start = time.perf_counter()
        proposals = searcher.ask(1)
        asked_s = time.perf_counter() - start
        trials = _trials(proxy, [str(getattr(p, "pattern", p)) for p in proposals], index)
        start = time.perf_counter()
        searcher.tell(trials)
        times_s.append(asked_s + time.perf_counter() - start)
    return times_s


def help_times(count: int) -> list[float]:
    """Seconds of `nasarena --help` in a fresh process."""
    code = "from nasarena.experiments.commands.cli import main; raise SystemExit(main(['--help']))"
    times_s = []
    for _ in range(count):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        times_s.append(time.perf_counter() - start)
    return times_s


def _prepare_searcher(name: str, proxy: Proxy, num_told: int, num_asks: int) -> Searcher:
    """A fresh searcher that was told `num_told` random trials."""
    rng = stream(0, "searcher")
    searcher = build_searcher(
        load_searcher(name), proxy.space, rng, {}, num_trials=num_told + num_asks
    )
    patterns = [proxy.space.sample(stream(0, "told", i)) for i in range(num_told)]
    searcher.tell(_trials(proxy, patterns, 0))
    return searcher


def _trials(proxy: Proxy, patterns: Sequence[str], first: int) -> list[Trial]:
    outcomes = proxy.evaluate(patterns, [TrialSeed(0)] * len(patterns))
    return [
        Trial(first + i, pattern, outcome.status, outcome.score)
        for i, (pattern, outcome) in enumerate(zip(patterns, outcomes, strict=True))
    ]


def _row(name: str, seconds: Sequence[float], first_s: float | None) -> dict[str, Any]:
    return {
        "what": name,
        "first_ms": None if first_s is None else 1e3 * first_s,
        "median_ms": 1e3 * median(seconds),
        "mean_ms": 1e3 * fmean(seconds),
        "slowest_ms": 1e3 * max(seconds),
        "count": len(seconds),
    }


if __name__ == "__main__":
    measure()
