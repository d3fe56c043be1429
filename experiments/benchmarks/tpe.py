"""Optuna's TPE at its defaults."""

from nasarena.experiments.benchmarks.protocol import Protocol, benchmark

PROTOCOL = Protocol(
    "tpe",
    source="defaults of Optuna, 10 random trials first; Bergstra et al. 2011, Watanabe 2023",
    num_patterns=200,
    options={"num_startup": 10},
)

if __name__ == "__main__":
    raise SystemExit(benchmark(PROTOCOL))
