"""Composer's end-layer incremental search."""

from nasarena.experiments.benchmarks.protocol import Protocol, benchmark

PROTOCOL = Protocol(
    "composer-end",
    source="end-layer incremental, arXiv 2510.00379; 100 trials, as a reviewer of it infers; "
    "10 random patterns first are ours, the paper names no number",
    num_patterns=100,
    options={"num_startup": 10},
)

if __name__ == "__main__":
    raise SystemExit(benchmark(PROTOCOL))
