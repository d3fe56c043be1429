"""Random search, the baseline of every other script."""

from nasarena.experiments.benchmarks.protocol import Protocol, benchmark

PROTOCOL = Protocol(
    "random",
    source="uniform, without repeats (Li & Talwalkar 2019)",
    num_patterns=100,
)

if __name__ == "__main__":
    raise SystemExit(benchmark(PROTOCOL))
