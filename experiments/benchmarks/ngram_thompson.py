"""Thompson sampling (1933) with a linear model of letters, neighbours and places."""

from nasarena.experiments.benchmarks.protocol import Protocol, benchmark

PROTOCOL = Protocol(
    "ngram-thompson",
    source="ours: Thompson sampling (1933) over a linear model, as Agrawal and Goyal 2013; the "
    "features are of layer patterns",
    num_patterns=300,
)

if __name__ == "__main__":
    raise SystemExit(benchmark(PROTOCOL))
