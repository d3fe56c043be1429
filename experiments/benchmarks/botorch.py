"""BoTorch: Gaussian process and log expected improvement (Ament et al. 2023)."""

from nasarena.experiments.benchmarks.protocol import Protocol, benchmark

PROTOCOL = Protocol(
    "botorch",
    source="log expected improvement, Ament et al. 2023; 10 random patterns first are ours",
    num_patterns=100,
    options={"num_startup": 10},
)

if __name__ == "__main__":
    raise SystemExit(benchmark(PROTOCOL))
