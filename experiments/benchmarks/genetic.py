"""A steady-state genetic algorithm with crossover (Whitley 1989)."""

from nasarena.experiments.benchmarks.protocol import Protocol, benchmark

PROTOCOL = Protocol(
    "genetic",
    source="20 members, 0.9 crossover, one mutation a pattern, after Whitley 1989",
    num_patterns=300,
    options={"population": 20, "crossover_rate": 0.9},
)

if __name__ == "__main__":
    raise SystemExit(benchmark(PROTOCOL))
