"""SMAC's random forest by the package of its authors."""

from nasarena.experiments.benchmarks.protocol import Protocol, benchmark

PROTOCOL = Protocol(
    "smac",
    source="SMAC3, Lindauer et al. 2022: the facade for hyperparameters, as it is",
    num_patterns=200,
)

if __name__ == "__main__":
    raise SystemExit(benchmark(PROTOCOL))
