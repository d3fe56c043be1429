"""A synthetic proxy: an exact function with costs, noise and partial trainings like a real one.

True scores have mean 0 and standard deviation 1 over the space. What a searcher sees is the true
score plus noise that is frozen per (run seed, pattern, replicate, split), as with a trained proxy:
seed k is one noisy landscape, the same for everyone. Costs are nominal, what a real proxy would
charge, so that budgets in FLOPs, tokens and seconds mean something.

A partial training (fidelity f below 1) is short of -ln f: its score is lower by that, and off by a
frozen error of `FIDELITY_NOISE` times that, drawn per run seed, pattern, replicate and split.
"""

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from math import inf, log
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nasarena.search.hashes import code_hash, config_hash
from nasarena.search.notation import LETTERS
from nasarena.search.proxy import Direction, KnownProxy, Split, TrialSeed
from nasarena.search.seeding import stable_hash, stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Outcome

# Nominal training: width 128, 100 steps of 128 sequences of 128 tokens, on 1 TFLOP/s.
TOKENS = 100 * 128 * 128
FLOPS_PER_SECOND = 1e12
# A letter without a row in the table costs as much as one of Mamba.
OTHER_LETTER = LETTERS["S"]
# At a ninth of the training the error is 0.66 standard deviations, at a third 0.33.
FIDELITY_NOISE = 0.3
_BUILDERS = "nasarena.proxies.landscapes"  # reaches all code that a score depends on


class ExactFunction(Protocol):
    """A whole number for every pattern of a space, known everywhere."""

    def raw(self, digits: Sequence[int]) -> int:
        """The value of one pattern, given its letters as digits."""

    def raw_many(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Values of patterns given as ranks in the space; any shape."""

    def raw_all(self) -> NDArray[np.int32]:
        """Values of the whole space in the order of ranks."""

    @property
    def optimum(self) -> tuple[tuple[int, ...], int]:
        """Digits and value of the best pattern."""

    @property
    def lowest(self) -> int:
        """The lowest value of all."""

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation over the whole space."""


class Landscape(KnownProxy):
    """An exact function as a proxy. `noise` is the standard deviation of an observed score.

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
        function: ExactFunction,
        *,
        landscape_seed: int,
        noise: float,
        failure_rate: float,
        options: Mapping[str, Any],
    ) -> None:
        self.name, self.space, self.noise = name, space, noise
        self.failure_rate, self.landscape_seed = failure_rate, landscape_seed
        self._function = function
        mean, deviation = function.moments
        self._mean, self._deviation = mean, deviation or 1.0  # a flat landscape stays at 0
        self._digit = {letter: digit for digit, letter in enumerate(space.alphabet)}
        self._best = space.from_digits(function.optimum[0])
        bounds = self._standardize(function.lowest), self._standardize(function.optimum[1])
        self.score_range = bounds if noise == 0 else (-inf, inf)
        common = {"seed": landscape_seed, "noise": noise, "failure_rate": failure_rate}
        of_space = {"alphabet": space.alphabet, "depth": space.depth}
        described = {"landscape": name, "code": code_hash(_BUILDERS)}
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
        scores: NDArray[np.float64] = self._standardize(self._function.raw_many(indices))
        return scores

    def all_scores(self) -> NDArray[np.float32]:
        """True scores of the whole space in the order of ranks: 172 MB for 3^16 patterns."""
        scores = self._function.raw_all().astype(np.float32)
        scores -= np.float32(self._mean)
        scores /= np.float32(self._deviation)
        return scores

    def optimum(self) -> tuple[str, float]:
        """The best pattern of the space and its true score, by dynamic programming."""
        return self._best, self._true_score(self._best)

    def regret(self, pattern: str) -> float:
        """How far the true score is below the optimum, in standard deviations; 0 or more."""
        self.space.validate(pattern)
        return (self._function.optimum[1] - self._raw(pattern)) / self._deviation

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
        values = self._function.raw_all()
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
        return self._function.raw([self._digit[letter] for letter in pattern])

    def _standardize(self, raw: Any) -> Any:
        return (raw - self._mean) / self._deviation
