"""TPE under successive halving: Optuna's own defaults of the pruner, on rungs as Hyperband's."""

from nasarena.experiments.benchmarks.protocol import Protocol, benchmark

PROTOCOL = Protocol(
    "tpe-pruned",
    source="eta = 4, Optuna's SuccessiveHalvingPruner as it comes; four rungs, 1/64 to 1",
    num_patterns=200,
    options={"pruner": "halving", "reduction": 4, "num_rungs": 4},
)

if __name__ == "__main__":
    raise SystemExit(benchmark(PROTOCOL))
