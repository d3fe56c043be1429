"""How long the bootstrap of an interquartile mean takes: 20 runs x 10 tasks, 10,000 repeats.

Made-up scores: what they are changes nothing. Median and slowest of nine, one thread's work.

    python -m nasarena.experiments.measure.bootstrap [--save]
"""

import time
from statistics import median

from nasarena.experiments.measure.record import record
from nasarena.figures.stats.intervals import interval
from nasarena.search.seeding import stream

NUM_RUNS, NUM_TASKS, NUM_REPEATS, NUM_TIMES = 20, 10, 10_000, 9


def measure() -> None:
    """Time, print, and keep if asked to."""
    scores_RT = stream(0, "made-up scores").normal(size=(NUM_RUNS, NUM_TASKS))
    times_s = []
    for number in range(NUM_TIMES):
        start_s = time.perf_counter()
        interval(scores_RT, stream(number, "bootstrap"), num_repeats=NUM_REPEATS)
        times_s.append(time.perf_counter() - start_s)
    sizes = {"runs": NUM_RUNS, "tasks": NUM_TASKS, "repeats": NUM_REPEATS}
    record("bootstrap", [sizes], {"median_s": median(times_s), "slowest_s": max(times_s)})


if __name__ == "__main__":
    measure()
