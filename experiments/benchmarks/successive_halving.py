"""Successive halving with four rungs of a third (Jamieson & Talwalkar 2016; eta of Li et al. 2018).

The shortest training is 1/27 of the full one.
"""

from nasarena.experiments.benchmarks.protocol import Protocol, benchmark

PROTOCOL = Protocol(
    "successive-halving",
    source="eta = 3, Li et al. 2018, section 3.6; four rungs, the first at 1/27",
    num_patterns=200,
    options={"reduction": 3, "num_rungs": 4},
)

if __name__ == "__main__":
    raise SystemExit(benchmark(PROTOCOL))
