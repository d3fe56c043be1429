"""The Proxy contract: what scores a pattern cheaply, and says beforehand what that costs.

A proxy is pure: the outcome depends on (configuration, pattern, seed, split) and on nothing else,
never on who asks, when, or in which population. So seed k is one frozen noisy landscape, the same
for every searcher, and outcomes can be cached.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Outcome

Direction = Literal["max", "min"]
# `search`: what searchers see. `held_out`: data no searcher's score was ever computed on.
Split = Literal["search", "held_out"]
_SMALL = 1 << 17  # patterns of a space where ranks are found one pattern at a time


@dataclass(frozen=True, slots=True)
class TrialSeed:
    """Where one training's randomness comes from.

    Initial weights depend on (run, pattern, replicate), the data stream on `run` alone.
    """

    run: int
    replicate: int = 0


@dataclass(frozen=True, slots=True)
class Abilities:
    """What is to be known of a proxy besides its scores.

    `trains`: every score is a training, so outcomes are worth keeping. `population`: how many
    patterns are worth evaluating at once; by default those of a table or a formula, where more are
    no faster. `task_names`: the tasks that a score is the mean of, each with metrics of its own.
    `stands_for`: the name of the proxy that trains its best patterns for real, and `overrides` the
    settings of that one which are not its defaults, as a command has them.
    """

    trains: bool = False
    population: int = 16
    uses_gpu: bool = False
    task_names: tuple[str, ...] = ()
    stands_for: str | None = None
    overrides: tuple[str, ...] = ()


class Proxy(Protocol):
    """Anything that scores patterns. Attributes are declarations, read before any evaluation.

    A class that names it as its base has the defaults; a proxy around another hands its abilities
    on.
    """

    name: str
    space: PatternSpace
    metric: str  # the native metric the score is made of, e.g. "loss"
    direction: Direction  # which way the native metric is better; the score always goes up
    score_range: tuple[float, float]  # every score lies within; may be infinite
    version: str  # hash of configuration and code: what an outcome depends on besides its inputs
    has_fidelities: bool = False  # see nasarena.search.fidelity
    abilities: Abilities = Abilities()

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


class KnownProxy(Proxy):
    """A proxy whose optimum and scores without noise are known exactly."""

    def optimum(self) -> tuple[str, float]:
        """The best pattern of the space and its true score."""
        raise NotImplementedError

    def true_score(self, pattern: str) -> float:
        """The score without noise."""
        raise NotImplementedError

    def percentile(self, pattern: str) -> float:
        """Percent of the space whose true score is not higher; the optimum has 100."""
        raise NotImplementedError

    def ranks(self, patterns: Sequence[str]) -> list[int] | None:
        """1 + the number of patterns of the space with a higher true score, for each.

        None where that would take a pass over a large space for every pattern.
        """
        size = self.space.size
        if size > _SMALL:
            return None
        return [size - round(self.percentile(p) * size / 100) + 1 for p in patterns]

    def num_trainings(self, pattern: str) -> int | None:
        """How many real trainings of a pattern are on record; None where there is no record."""
        return None

    def difficulty(self, num_trials: float) -> dict[str, Any] | None:
        """How hard the landscape is, as plain values; None where nobody worked it out.

        `random_regret` is the expected regret of the best of `num_trials` uniform patterns.
        """
        return None

    def surrogate_facts(self) -> dict[str, Any] | None:
        """How good the surrogate is, as plain values; None where there is none."""
        return None


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
