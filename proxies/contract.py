"""What every proxy promises, as one check: of ours in the tests, of yours in yours.

    from nasarena.proxies.contract import check_proxy

    def test_contract() -> None:
        check_proxy(MyProxy(PatternSpace("AMS", 4)))

`nasarena check proxy=my_file.py:my_proxy` asks the same questions from the command line.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import isclose, isfinite
from pathlib import Path

from nasarena.proxies.cache import CachedProxy
from nasarena.search.proxy import Abilities, KnownProxy, Proxy, Split, TrialSeed, mean_cost
from nasarena.search.seeding import stream
from nasarena.search.trial import Outcome


class BrokenContract(AssertionError):
    """A promise that a proxy does not keep, in one line."""


def check_proxy(
    proxy: Proxy, *, noisy: bool = True, num_patterns: int = 5, tolerance: float = 0.0
) -> None:
    """Check the contract of `nasarena.search.proxy` on a few random patterns.

    `noisy`: scores depend on the seed. `tolerance`: by how much a score may depend on the
    population it was computed in (rounding of batched arithmetic), relative. Raises BrokenContract.
    """
    for _, ask in ContractQuestions(proxy, num_patterns, tolerance).ask(noisy):
        ask()


class ContractQuestions:
    """The questions to one proxy; the patterns that they are about are trained when first asked."""

    def __init__(self, proxy: Proxy, num_patterns: int = 5, tolerance: float = 0.0) -> None:
        self._proxy, self._tolerance = proxy, tolerance
        self._patterns = proxy.space.sample_distinct(num_patterns, stream(0, "proxy contract"))
        self._seeds = [TrialSeed(k) for k in range(num_patterns)]
        self._outcomes: list[Outcome] = []

    def ask(self, noisy: bool) -> Iterator[tuple[str, Callable[[], None]]]:
        """Each question in words, and what raises BrokenContract where the answer is no."""
        yield "says what it is, and what a pattern costs", self._declarations
        yield "scores patterns, in its range and at the cost it said", self._scores
        yield "scores the same again, in another order, and alone", self._purity
        if noisy:
            yield "scores by run seed, replicate and split", self._noise
        else:
            yield "has no noise: scores by the pattern alone", self._no_noise
        yield "makes nothing of nothing", self._nothing

    @property
    def is_noisy(self) -> bool:
        """Whether another run seed changes any score."""
        return self._scores_of(TrialSeed(0)) != self._scores_of(TrialSeed(1))

    def _declarations(self) -> None:
        proxy = self._proxy
        low, high = proxy.score_range
        _require(low <= high, f"score_range must be (lowest, highest), got {proxy.score_range}")
        _require(proxy.direction in ("max", "min"), f"direction is max or min: {proxy.direction!r}")
        for name in ("name", "metric", "version"):
            _require(bool(getattr(proxy, name)), f"{name} must not be empty")
        can = proxy.abilities
        _require(isinstance(can, Abilities), f"abilities must be Abilities, got {can!r}")
        _require(isinstance(proxy.has_fidelities, bool), "has_fidelities must be true or false")
        _require(can.population >= 1, f"population must be at least 1, got {can.population}")
        _require(can.trains or not can.uses_gpu, "what does not train uses no GPU")
        _require(len(set(can.task_names)) == len(can.task_names), "task_names must be distinct")
        around = CachedProxy(proxy, Path("never opened"))
        same = (around.abilities, around.has_fidelities) == (can, proxy.has_fidelities)
        _require(same, "abilities must be the same whenever they are asked for")
        cost = mean_cost(proxy, 16)
        costs = (cost.flops, cost.tokens, cost.device_seconds)
        _require(min(costs) > 0, f"FLOPs, tokens and seconds must be positive, got {costs}")
        if isinstance(proxy, KnownProxy):
            _check_knowledge(proxy)

    def _scores(self) -> None:
        """Finite scores in the declared range with their native metric; costs as announced."""
        proxy, outcomes = self._proxy, self._first_outcomes()
        _require(
            len(outcomes) == len(self._patterns),
            f"{len(self._patterns)} patterns were asked, {len(outcomes)} answered",
        )
        _require(any(one.status == "ok" for one in outcomes), "not one pattern could be scored")
        for pattern, outcome in zip(self._patterns, outcomes, strict=True):
            costs = outcome.cost, proxy.cost(pattern), proxy.cost(pattern)
            _require(costs[0] == costs[1] == costs[2], f"the cost of {pattern} varies: {costs}")
            _require(outcome.measured_s >= 0, f"measured_s is {outcome.measured_s}")
            if outcome.status == "failed":
                is_line = bool(outcome.note) and "\n" not in outcome.note
                _require(is_line, f"a failure needs a note of one line, got {outcome.note!r}")
            else:
                self._check_score(pattern, outcome)

    def _check_score(self, pattern: str, outcome: Outcome) -> None:
        score, (low, high) = outcome.score, self._proxy.score_range
        in_range = score is not None and isfinite(score) and low <= score <= high
        _require(in_range, f"{pattern} scores {score}, outside [{low}, {high}]")
        tasks = self._proxy.abilities.task_names
        metric = self._proxy.metric
        wanted = {metric, *(f"{name} {metric}" for name in tasks if len(tasks) > 1)}
        missing = sorted(wanted - outcome.metrics.keys())
        _require(not missing, f"the metrics of {pattern} lack {', '.join(missing)}")

    def _purity(self) -> None:
        """The same again, backwards, and one by one: the same outcomes."""
        patterns, seeds, outcomes = self._patterns, self._seeds, self._first_outcomes()
        again = self._proxy.evaluate(patterns, seeds)
        for first, second in zip(outcomes, again, strict=True):
            same = replace(first, measured_s=0.0) == replace(second, measured_s=0.0)
            _require(same, f"asked twice, it answers {first} and {second}")
        backwards = self._proxy.evaluate(patterns[::-1], seeds[::-1])[::-1]
        alone = self._proxy.evaluate(patterns[:1], seeds[:1])
        for first, second in zip([*outcomes, outcomes[0]], [*backwards, *alone], strict=True):
            words = f"in another order or alone a pattern scores {second.score}, not {first.score}"
            _require(first.status == second.status, words)
            if first.score is not None and second.score is not None:
                near = self._tolerance
                is_near = isclose(first.score, second.score, rel_tol=near, abs_tol=near)
                _require(is_near, words)

    def _noise(self) -> None:
        """Another run seed, another replicate and the other split are other draws, each frozen."""
        base = self._scores_of(TrialSeed(0))
        _require(self._scores_of(TrialSeed(1)) != base, "another run seed gives the same scores")
        replicate = self._scores_of(TrialSeed(0, 1))
        _require(replicate != base, "another replicate gives the same scores")
        held_out = self._scores_of(TrialSeed(0), "held_out")
        _require(held_out != base, "held-out data give the same scores")
        _require(self._scores_of(TrialSeed(0)) == base, "the same seed gives other scores")

    def _no_noise(self) -> None:
        _require(not self.is_noisy, "another run seed gives other scores, though it is no noise")

    def _nothing(self) -> None:
        _require(self._proxy.evaluate([], []) == [], "no patterns must give no outcomes")

    def _first_outcomes(self) -> list[Outcome]:
        if not self._outcomes:
            self._outcomes = self._proxy.evaluate(self._patterns, self._seeds)
        return self._outcomes

    def _scores_of(self, seed: TrialSeed, split: Split = "search") -> list[float | None]:
        outcomes = self._proxy.evaluate(self._patterns, [seed] * len(self._patterns), split)
        return [outcome.score for outcome in outcomes]


def _check_knowledge(proxy: KnownProxy) -> None:
    """The optimum has the best true score, rank 1 and percentile 100."""
    best, score = proxy.optimum()
    others = proxy.space.sample_distinct(5, stream(1, "proxy contract"))
    highest = max(map(proxy.true_score, others))
    _require(proxy.true_score(best) == score >= highest, f"{best} is no optimum")
    ranks = proxy.ranks([best, *others])
    _require(ranks is None or (ranks[0] == 1 and min(ranks) >= 1), f"the optimum has rank {ranks}")
    top = proxy.percentile(best)
    below = [proxy.percentile(pattern) for pattern in others]
    _require(top == 100 and all(0 < one <= 100 for one in below), f"percentiles {top}, {below}")
    facts, trainings = proxy.surrogate_facts(), proxy.num_trainings(best)
    _require((facts is None) == (trainings is None), "trainings are known without a surrogate")


def _require(holds: bool, words: str) -> None:
    if not holds:
        raise BrokenContract(words)
