"""Optuna's Gaussian process at its defaults."""

from nasarena.experiments.benchmarks.protocol import Protocol, benchmark

PROTOCOL = Protocol(
    "gp-optuna",
    source="defaults of Optuna's GPSampler, 10 random trials first",
    num_patterns=100,
    options={"num_startup": 10},
)

if __name__ == "__main__":
    raise SystemExit(benchmark(PROTOCOL))
