"""Nevergrad's NGOpt with our encoding of letters."""

from nasarena.experiments.benchmarks.protocol import Protocol, benchmark

PROTOCOL = Protocol(
    "nevergrad",
    source="NGOpt, Rapin & Teytaud 2018; TransitionChoice, one ordered variable a letter",
    num_patterns=200,
    options={"optimizer": "NGOpt"},
)

if __name__ == "__main__":
    raise SystemExit(benchmark(PROTOCOL))
