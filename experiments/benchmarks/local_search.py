"""Local search with restarts (White, Nolen & Savani 2021)."""

from nasarena.experiments.benchmarks.protocol import Protocol, benchmark

PROTOCOL = Protocol(
    "local-search",
    source="no settings; White, Nolen & Savani 2021, section 3",
    num_patterns=300,
)

if __name__ == "__main__":
    raise SystemExit(benchmark(PROTOCOL))
