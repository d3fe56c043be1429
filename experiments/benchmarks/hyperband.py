"""Hyperband as in the example of Li et al. 2018, Table 1: eta = 3 and R = 81, so five rungs."""

from nasarena.experiments.benchmarks.protocol import Protocol, benchmark

PROTOCOL = Protocol(
    "hyperband",
    source="eta = 3, R = 81, Li et al. 2018, Table 1",
    num_patterns=200,
    options={"reduction": 3, "num_rungs": 5},
)

if __name__ == "__main__":
    raise SystemExit(benchmark(PROTOCOL))
