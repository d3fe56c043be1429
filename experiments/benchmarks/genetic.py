"""A steady-state genetic algorithm with crossover (Whitley 1989)."""

from nasarena.experiments.benchmarks.protocol import Protocol, benchmark

PROTOCOL = Protocol(
    "genetic",
    source="steady state, the worst replaced, Whitley 1989; 20 members, 0.9 crossover and one "
    "mutation a pattern are ours",
    num_patterns=300,
    options={"population": 20, "crossover_rate": 0.9},
)

if __name__ == "__main__":
    raise SystemExit(benchmark(PROTOCOL))
