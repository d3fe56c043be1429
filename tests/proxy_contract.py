"""What every proxy promises, as one check: `check_proxy(proxy)` raises AssertionError or returns.

from proxy_contract import check_proxy

def test_contract() -> None:
    check_proxy(MyProxy(PatternSpace("AMS", 4)))
"""

from dataclasses import replace
from math import isfinite
from pathlib import Path

import pytest

from nasarena.proxies.cache import CachedProxy
from nasarena.search.proxy import Abilities, KnownProxy, Proxy, Split, TrialSeed, mean_cost
from nasarena.search.seeding import stream
from nasarena.search.trial import Outcome


def check_proxy(
    proxy: Proxy, *, noisy: bool = True, num_patterns: int = 5, tolerance: float = 0.0
) -> None:
    """Check the contract of `nasarena.search.proxy` on a few random patterns.

    `noisy`: scores depend on the seed. `tolerance`: by how much a score may depend on the
    population it was computed in (rounding of batched arithmetic), relative.
    """
    patterns = proxy.space.sample_distinct(num_patterns, stream(0, "proxy contract"))
    seeds = [TrialSeed(k) for k in range(num_patterns)]
    outcomes = proxy.evaluate(patterns, seeds)
    _check_declarations(proxy)
    _check_outcomes(proxy, patterns, outcomes)
    _check_purity(proxy, patterns, seeds, outcomes, tolerance)
    if noisy:
        _check_noise(proxy, patterns)
    assert proxy.evaluate([], []) == []


def _check_declarations(proxy: Proxy) -> None:
    low, high = proxy.score_range
    assert low <= high
    assert proxy.direction in ("max", "min")
    assert proxy.name and proxy.metric and proxy.version
    can = proxy.abilities
    assert isinstance(can, Abilities) and isinstance(proxy.has_fidelities, bool)
    assert can.population >= 1 and (can.trains or not can.uses_gpu)
    assert len(set(can.task_names)) == len(can.task_names)
    around = CachedProxy(proxy, Path("never opened"))
    assert (around.abilities, around.has_fidelities) == (can, proxy.has_fidelities)
    if isinstance(proxy, KnownProxy):
        _check_knowledge(proxy)
    cost = mean_cost(proxy, 16)
    assert cost.flops > 0 and cost.tokens > 0 and cost.device_seconds > 0


def _check_knowledge(proxy: KnownProxy) -> None:
    """The optimum has the best true score, rank 1 and percentile 100."""
    best, score = proxy.optimum()
    others = proxy.space.sample_distinct(5, stream(1, "proxy contract"))
    assert proxy.true_score(best) == score >= max(map(proxy.true_score, others))
    ranks = proxy.ranks([best, *others])
    assert ranks is None or (ranks[0] == 1 and min(ranks) >= 1)
    assert all(0 < proxy.percentile(pattern) <= proxy.percentile(best) == 100 for pattern in others)
    facts = proxy.surrogate_facts()
    assert (facts is None) == (proxy.num_trainings(best) is None)


def _check_outcomes(proxy: Proxy, patterns: list[str], outcomes: list[Outcome]) -> None:
    """Finite scores in the declared range with their native metric; costs as announced."""
    assert len(outcomes) == len(patterns)
    assert any(outcome.status == "ok" for outcome in outcomes)
    low, high = proxy.score_range
    for pattern, outcome in zip(patterns, outcomes, strict=True):
        assert outcome.cost == proxy.cost(pattern) == proxy.cost(pattern)
        assert outcome.measured_s >= 0
        if outcome.status == "failed":
            assert outcome.note and "\n" not in outcome.note
        else:
            assert outcome.score is not None and isfinite(outcome.score)
            assert low <= outcome.score <= high
            assert proxy.metric in outcome.metrics
            names = proxy.abilities.task_names if len(proxy.abilities.task_names) > 1 else ()
            assert {f"{name} {proxy.metric}" for name in names} <= outcome.metrics.keys()


def _check_purity(
    proxy: Proxy,
    patterns: list[str],
    seeds: list[TrialSeed],
    outcomes: list[Outcome],
    tolerance: float,
) -> None:
    """The same again, backwards, and one by one: the same outcomes."""
    again = proxy.evaluate(patterns, seeds)
    backwards = proxy.evaluate(patterns[::-1], seeds[::-1])[::-1]
    alone = proxy.evaluate(patterns[:1], seeds[:1])
    for first, second in zip(outcomes, again, strict=True):
        assert replace(first, measured_s=0.0) == replace(second, measured_s=0.0)
    for first, second in zip(outcomes + outcomes[:1], backwards + alone, strict=True):
        assert first.status == second.status
        if second.score is not None:
            assert first.score == pytest.approx(second.score, rel=tolerance, abs=tolerance)


def _check_noise(proxy: Proxy, patterns: list[str]) -> None:
    """Another run seed, another replicate and the other split are other draws, frozen each."""

    def scores(seed: TrialSeed, split: Split = "search") -> list[float | None]:
        outcomes = proxy.evaluate(patterns, [seed] * len(patterns), split)
        return [outcome.score for outcome in outcomes]

    base = scores(TrialSeed(0, 0))
    assert scores(TrialSeed(1, 0)) != base, "another run seed gives the same scores"
    assert scores(TrialSeed(0, 1)) != base, "another replicate gives the same scores"
    assert scores(TrialSeed(0, 0), "held_out") != base, "held-out data give the same scores"
    assert scores(TrialSeed(0, 0)) == base
