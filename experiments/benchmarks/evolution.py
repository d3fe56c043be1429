"""Regularized evolution at its published size (Real et al. 2019): P = 100, S = 25.

The paper goes on for 20,000 models; 1000 are ten generations. `--patterns 20000` runs them all.
"""

from nasarena.experiments.benchmarks.protocol import Protocol, benchmark

PROTOCOL = Protocol(
    "evolution",
    source="P = 100, S = 25, Real et al. 2019, section 3; 1000 models of its 20,000",
    num_patterns=1000,
    options={"population": 100, "tournament": 25},
)

if __name__ == "__main__":
    raise SystemExit(benchmark(PROTOCOL))
