"""Synthetic proxies: the optimum, the regret and the percentile of any pattern are known exactly.

- `additive`: a value per position and letter plus an interaction of each pair of neighbours.
- `nk`: the value of a letter depends on its K right neighbours, around the end (Kauffman and
  Weinberger 1989, adjacent neighbourhoods; normal values, not uniform). K sets the ruggedness.

True scores have mean 0 and standard deviation 1 over the space. What a searcher sees is the true
score plus noise that is frozen per (run seed, pattern, replicate, split), as with a trained proxy:
seed k is one noisy landscape, the same for everyone. Costs are nominal, what a real proxy would
charge, so that budgets in FLOPs, tokens and seconds mean something.

A partial training (fidelity f below 1) is short of -ln f: its score is lower by that, and off by a
frozen error of `FIDELITY_NOISE` times that, drawn per run seed, pattern, replicate and split.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from math import inf, log
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nasarena.proxies.window_sum import WindowSum
from nasarena.search.hashes import code_hash, config_hash
from nasarena.search.notation import LETTERS
from nasarena.search.proxy import Direction, KnownProxy, Split, TrialSeed
from nasarena.search.seeding import stable_hash, stream
from nasarena.search.settings import settings
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Outcome

GRID = 1 << 14  # table entries are multiples of 1/GRID: integers, so that sums are exact

# Nominal training: width 128, 100 steps of 128 sequences of 128 tokens, on 1 TFLOP/s.
TOKENS = 100 * 128 * 128
FLOPS_PER_SECOND = 1e12
# A letter without a row in the table costs as much as one of Mamba.
OTHER_LETTER = LETTERS["S"]
# At a ninth of the training the error is 0.66 standard deviations, at a third 0.33.
FIDELITY_NOISE = 0.3


class Landscape(KnownProxy):
    """A window sum as a proxy. `noise` is the standard deviation of an observed score.

    A share `failure_rate` of all patterns always diverges: failed outcomes, charged in full, drawn
    per pattern by `landscape_seed`; the optimum is never one of them. `options` is what else sets
    this landscape apart, for its version.
    """

    metric = "value"
    direction: Direction = "max"
    has_fidelities = True

    def __init__(
        self,
        name: str,
        space: PatternSpace,
        tables: NDArray[np.float64],
        *,
        landscape_seed: int,
        noise: float,
        failure_rate: float,
        options: Mapping[str, Any],
    ) -> None:
        self.name, self.space, self.noise = name, space, noise
        self.failure_rate, self.landscape_seed = failure_rate, landscape_seed
        integers = np.rint(tables * GRID).astype(np.int64)
        self._sum = WindowSum(integers, len(space.alphabet), space.depth)
        mean, deviation = self._sum.moments
        self._mean, self._deviation = mean, deviation or 1.0  # a flat landscape stays at 0
        self._digit = {letter: digit for digit, letter in enumerate(space.alphabet)}
        self._best = space.from_digits(self._sum.optimum[0])
        lowest = -WindowSum(-integers, len(space.alphabet), space.depth).optimum[1]
        bounds = self._standardize(lowest), self._standardize(self._sum.optimum[1])
        self.score_range = bounds if noise == 0 else (-inf, inf)
        common = {"seed": landscape_seed, "noise": noise, "failure_rate": failure_rate}
        of_space = {"alphabet": space.alphabet, "depth": space.depth}
        described = {"landscape": name, "code": code_hash(__name__)}
        self.version = config_hash({**described, **of_space, **common, **options})

    def cost(self, pattern: str, fidelity: float = 1.0) -> Cost:
        """A nominal training: the same tokens for all, FLOPs and seconds by letter."""
        per_token = sum(LETTERS.get(letter, OTHER_LETTER).landscape_flops for letter in pattern)
        tokens = max(1, round(fidelity * TOKENS))
        flops = per_token * tokens
        return Cost(flops, tokens, flops / FLOPS_PER_SECOND)

    def evaluate(
        self,
        patterns: Sequence[str],
        seeds: Sequence[TrialSeed],
        split: Split = "search",
        fidelities: Sequence[float] | None = None,
    ) -> list[Outcome]:
        """True score plus frozen noise; `held_out` has noise of its own."""
        shares = [1.0] * len(patterns) if fidelities is None else fidelities
        asked = zip(patterns, seeds, shares, strict=True)
        return [self._outcome(pattern, seed, split, share) for pattern, seed, share in asked]

    def true_score(self, pattern: str) -> float:
        """The score without noise. Raises InvalidPattern for what is not in the space."""
        return self._true_score(self.space.validate(pattern))

    def true_scores(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """True scores of patterns given as ranks in the space; any shape."""
        scores: NDArray[np.float64] = self._standardize(self._sum.raw_many(indices))
        return scores

    def all_scores(self) -> NDArray[np.float32]:
        """True scores of the whole space in the order of ranks: 172 MB for 3^16 patterns."""
        scores = self._sum.raw_all().astype(np.float32)
        scores -= np.float32(self._mean)
        scores /= np.float32(self._deviation)
        return scores

    def optimum(self) -> tuple[str, float]:
        """The best pattern of the space and its true score, by dynamic programming."""
        return self._best, self._true_score(self._best)

    def regret(self, pattern: str) -> float:
        """How far the true score is below the optimum, in standard deviations; 0 or more."""
        self.space.validate(pattern)
        return (self._sum.optimum[1] - self._raw(pattern)) / self._deviation

    def percentile(self, pattern: str) -> float:
        """Percent of the whole space whose true score is not higher; the optimum has 100.

        Exact, from one pass over the whole space at the first call (seconds for 3^16 patterns).
        """
        self.space.validate(pattern)
        lowest, counts = self._distribution
        return 100.0 * int(counts[self._raw(pattern) - lowest]) / self.space.size

    @cached_property
    def _distribution(self) -> tuple[int, NDArray[np.int64]]:
        """The lowest raw value, and how many patterns are not above each value from there on."""
        values = self._sum.raw_all()
        lowest = int(values.min())
        values -= lowest
        return lowest, np.cumsum(np.bincount(values))

    def _outcome(self, pattern: str, seed: TrialSeed, split: Split, fidelity: float) -> Outcome:
        start = time.perf_counter()
        cost = self.cost(pattern, fidelity)
        if self.failure_rate and self._diverges(pattern):
            return Outcome("failed", None, cost, note="loss became nan (a synthetic failure)")
        score = self._true_score(pattern)
        if self.noise:
            rng = stream(seed.run, "landscape noise", pattern, seed.replicate, split)
            score += self.noise * rng.standard_normal()
        if fidelity < 1:
            rng = stream(seed.run, "landscape fidelity", pattern, seed.replicate, split)
            score += log(fidelity) * (1 + FIDELITY_NOISE * rng.standard_normal())
        return Outcome(
            "ok", score, cost, {self.metric: score}, measured_s=time.perf_counter() - start
        )

    def _diverges(self, pattern: str) -> bool:
        draw = stable_hash("diverges", self.landscape_seed, pattern) / 2.0**64
        return draw < self.failure_rate and pattern != self._best

    def _true_score(self, pattern: str) -> float:
        return (self._raw(pattern) - self._mean) / self._deviation

    def _raw(self, pattern: str) -> int:
        return self._sum.raw([self._digit[letter] for letter in pattern])

    def _standardize(self, raw: Any) -> Any:
        return (raw - self._mean) / self._deviation


@settings
class LandscapeSettings:
    """What all landscapes have."""

    landscape_seed: int = Field(0, ge=0, description="which landscape")
    noise: float = Field(
        0.1,
        ge=0,
        description="standard deviation of a score; the true scores have standard deviation 1",
    )
    failure_rate: float = Field(
        0.0, ge=0, lt=1, description="share of patterns that always diverge"
    )

    def common(self) -> dict[str, Any]:
        """As `Landscape` takes them."""
        return {one.name: getattr(self, one.name) for one in fields(LandscapeSettings)}


@settings
class AdditiveSettings(LandscapeSettings):
    """Standard normal letter values, pair values with standard deviation `interaction`."""

    interaction: float = Field(
        0.5,
        ge=0,
        description="standard deviation of the values of neighbouring pairs, to that of single "
        "letters",
    )

    def build(self, space: PatternSpace, name: str = "additive") -> Landscape:
        """Raises InvalidSetting for a space that cannot be solved exactly."""
        letters, depth = len(space.alphabet), space.depth
        WindowSum.check(letters, depth, 2, cyclic=False)
        rng = stream(self.landscape_seed, "landscape", "additive")
        values = rng.standard_normal((depth, letters))
        pairs = self.interaction * rng.standard_normal((depth - 1, letters, letters))
        # A window is a pair: its second letter pays its own value there, the first one with it.
        tables = pairs + values[1:, None, :]
        tables[0] += values[0][:, None]
        return Landscape(
            "additive",
            space,
            tables.reshape(depth - 1, -1),
            options={"interaction": self.interaction},
            **self.common(),
        )


@settings
class NkSettings(LandscapeSettings):
    """NK landscape, K = `neighbours`: a standard normal value per position and window of K + 1."""

    neighbours: int = Field(
        3, ge=1, description="K: how many right neighbours the value of a letter depends on"
    )

    def build(self, space: PatternSpace, name: str = "nk") -> Landscape:
        """Raises InvalidSetting for a K that cannot be solved exactly."""
        letters, depth = len(space.alphabet), space.depth
        WindowSum.check(letters, depth, self.neighbours + 1, cyclic=True)
        rng = stream(self.landscape_seed, "landscape", "nk")
        return Landscape(
            "nk",
            space,
            rng.standard_normal((depth, letters ** (self.neighbours + 1))),
            options={"neighbours": self.neighbours},
            **self.common(),
        )


def additive(space: PatternSpace, **options: Any) -> Landscape:
    """The additive landscape of these `AdditiveSettings`."""
    return AdditiveSettings(**options).build(space)


def nk(space: PatternSpace, **options: Any) -> Landscape:
    """The NK landscape of these `NkSettings`."""
    return NkSettings(**options).build(space)
