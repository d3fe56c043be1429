"""Bayesian optimization with a Gaussian process made for patterns, in numpy and scipy."""

from nasarena.experiments.benchmarks.protocol import Protocol, benchmark

PROTOCOL = Protocol(
    "sequence-gp",
    source="ours: log expected improvement, as Ament et al. 2023; the kernels are of layer "
    "patterns",
    num_patterns=200,
)

if __name__ == "__main__":
    raise SystemExit(benchmark(PROTOCOL))
