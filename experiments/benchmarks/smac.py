"""SMAC with as many asks from one forest as it has by default."""

from nasarena.experiments.benchmarks.protocol import Protocol, benchmark

PROTOCOL = Protocol(
    "smac",
    source="SMAC3, Lindauer et al. 2022; random forest and expected improvement, 8 asks a forest",
    num_patterns=200,
    options={"retrain_after": 8},
)

if __name__ == "__main__":
    raise SystemExit(benchmark(PROTOCOL))
