"""Nevergrad's NGOpt with its Choice."""

from nasarena.experiments.benchmarks.protocol import Protocol, benchmark

PROTOCOL = Protocol(
    "nevergrad-choice",
    source="NGOpt, Rapin & Teytaud 2018; Choice, as its documentation has it for categories",
    num_patterns=200,
    options={"optimizer": "NGOpt"},
)

if __name__ == "__main__":
    raise SystemExit(benchmark(PROTOCOL))
