"""Composer's middle-layer incremental search."""

from nasarena.experiments.benchmarks.protocol import Protocol, benchmark

PROTOCOL = Protocol(
    "composer-middle",
    source="middle-layer incremental, arXiv 2510.00379; 100 trials, as the paper implies",
    num_patterns=100,
    options={"num_startup": 10},
)

if __name__ == "__main__":
    raise SystemExit(benchmark(PROTOCOL))
