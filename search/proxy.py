"""The Proxy contract: what scores a pattern cheaply, and says beforehand what that costs.

A proxy is pure: the outcome depends on (configuration, pattern, seed, split) and on nothing else,
never on who asks, when, or in which population. So seed k is one frozen noisy landscape, the same
for every searcher, and outcomes can be cached.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Outcome

Direction = Literal["max", "min"]
# `search`: what searchers see. `held_out`: data no searcher's score was ever computed on.
Split = Literal["search", "held_out"]


@dataclass(frozen=True, slots=True)
class TrialSeed:
    """Where one training's randomness comes from.

    Initial weights depend on (run, pattern, replicate), the data stream on `run` alone.
    """

    run: int
    replicate: int = 0


class Proxy(Protocol):
    """Anything that scores patterns. Attributes are declarations, read before any evaluation."""

    name: str
    space: PatternSpace
    metric: str  # the native metric the score is made of, e.g. "loss"
    direction: Direction  # which way the native metric is better; the score always goes up
    score_range: tuple[float, float]  # every score lies within; may be infinite
    version: str  # hash of configuration and code: what an outcome depends on besides its inputs

    def cost(self, pattern: str) -> Cost:
        """What one training of `pattern` takes: deterministic, and free to ask."""
        ...

    def evaluate(
        self, patterns: Sequence[str], seeds: Sequence[TrialSeed], split: Split = "search"
    ) -> list[Outcome]:
        """One outcome per pattern, in order; a pattern that fails alone is a failed outcome.

        Raises ProxyFailed only if nothing can be scored.
        """
        ...


def mean_cost(proxy: Proxy, num_samples: int = 1024) -> Cost:
    """Mean cost of a pattern over the space, from one fixed sample of it."""
    rng = stream(0, "mean cost")
    costs = [proxy.cost(proxy.space.sample(rng)) for _ in range(num_samples)]
    total = sum(costs, Cost())
    return Cost(
        total.flops // num_samples,
        total.tokens // num_samples,
        total.device_seconds / num_samples,
    )


# Begins the note of a failure that is the machine's and not the pattern's, so it is never kept.
OUT_OF_MEMORY = "out of memory"
