"""Successive halving and Hyperband: their brackets, what they are charged, what they find."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import wilcoxon

from fakes import cut_copy, run_search
from nasarena.baselines.hyperband import hyperband_brackets
from nasarena.baselines.successive_halving import Bracket
from nasarena.experiments.commands.conformance import Kit
from nasarena.experiments.settings.registry import load_searcher
from nasarena.proxies.landscape import Landscape
from nasarena.proxies.landscapes import additive
from nasarena.search.budget import Budget, Unit
from nasarena.search.errors import InvalidSetting
from nasarena.search.proxy import mean_cost
from nasarena.search.retraining import best_patterns
from nasarena.search.run_folder import drop_measurements, read_run
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

SPACE = PatternSpace("AMS", 6)
DEEP = PatternSpace("AMS", 16)
NAMES = ["successive-halving", "hyperband"]
THIRD, NINTH = 1 / 3, 1 / 9


run = partial(run_search, initial_design=0, finalists=0)


def test_hyperbands_brackets_are_those_of_the_paper() -> None:
    """Li et al. 2018, Table 1: R = 81, eta = 3."""
    assert hyperband_brackets(5, 3) == [(81, 5), (34, 4), (15, 3), (8, 2), (5, 1)]
    assert hyperband_brackets(3, 3) == [(9, 3), (5, 2), (3, 1)]
    assert hyperband_brackets(1, 2) == [(1, 1)]


@pytest.mark.parametrize(
    ("num_patterns", "num_rungs", "rungs"),
    [
        (81, 5, [(81, 1 / 81), (27, 1 / 27), (9, NINTH), (3, THIRD), (1, 1.0)]),
        (34, 4, [(34, 1 / 27), (11, NINTH), (3, THIRD), (1, 1.0)]),
        (15, 3, [(15, NINTH), (5, THIRD), (1, 1.0)]),
        (8, 2, [(8, THIRD), (2, 1.0)]),
        (5, 1, [(5, 1.0)]),
    ],
)
def test_a_bracket_promotes_its_best_as_in_the_paper(
    num_patterns: int, num_rungs: int, rungs: list[tuple[int, float]]
) -> None:
    patterns = [DEEP.pattern(rank) for rank in range(num_patterns)]
    bracket = Bracket(patterns, num_rungs, 3)
    best = patterns
    for size, fidelity in rungs:
        batch = [*bracket.ask(4), *bracket.ask(1000)]
        assert [p.pattern for p in batch] == best[:size]
        assert [p.fidelity for p in batch] == pytest.approx([fidelity] * size)
        rank = {p.pattern: DEEP.index(p.pattern) * 7 % 83 for p in batch}
        best = sorted(rank, key=lambda pattern: -rank[pattern])
        for index, proposal in reversed(list(enumerate(batch))):
            assert not bracket.is_over
            bracket.tell(Trial(index, proposal.pattern, "ok", float(rank[proposal.pattern])))
    assert bracket.is_over and bracket.ask(1) == []


def test_failed_trainings_are_not_promoted() -> None:
    bracket = Bracket(["A", "B", "C", "D"], 2, 2)
    bracket.ask(4)
    for index, pattern in enumerate("ABC"):
        bracket.tell(Trial(index, pattern, "failed"))
    bracket.tell(Trial(9, "X", "ok", 99.0))  # somebody else's
    bracket.tell(Trial(3, "D", "ok", -5.0))
    assert [proposal.pattern for proposal in bracket.ask(4)] == ["D"]


def test_the_charge_of_a_bracket_is_worked_out_by_hand(tmp_path: Path) -> None:
    """9 at 1/9, then 3 from 1/9 to 1/3, then 1 from 1/3 to 1: 1 + 2/3 + 2/3 trainings."""
    trials = run(tmp_path, "successive-halving", additive(DEEP, noise=0), amount=7 / 3)
    events = read_run(tmp_path).events
    assert [trial.fidelity for trial in trials] == pytest.approx([NINTH] * 9 + [THIRD] * 3 + [1.0])
    assert events[-1]["spent"] == pytest.approx(7 / 3)
    assert events[-1]["reason"].startswith("budget spent")
    first = sorted(trials[:9], key=lambda trial: -(trial.score or 0))
    assert [trial.pattern for trial in trials[9:12]] == [trial.pattern for trial in first[:3]]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("unit", ["flops", "trials"])
def test_the_budget_is_used_up_and_never_overspent(tmp_path: Path, name: str, unit: Unit) -> None:
    proxy = additive(DEEP, failure_rate=0.2)
    amount = 12 * Budget(unit, 1).price(mean_cost(proxy))
    for parallel in (1, 5):
        path = tmp_path / str(parallel)
        trials = run(
            path, name, proxy, amount=amount, unit=unit, parallel=parallel, initial_design=2
        )
        spent = read_run(path).events[-1]["spent"]
        assert 0.85 * amount < spent <= amount * (1 + 1e-9)
        assert spent == pytest.approx(sum(_prices(trials, unit)))


def _prices(trials: Sequence[Trial], unit: Unit) -> list[float]:
    """What each trial is charged; in trials it is worked out from the fidelities alone."""
    if unit == "flops":
        return [trial.cost.flops for trial in trials]
    highest: dict[str, float] = {}
    prices = []
    for trial in trials:
        prices.append(trial.fidelity - highest.get(trial.pattern, 0.0))
        highest[trial.pattern] = trial.fidelity
    return prices


@pytest.mark.parametrize("name", NAMES)
def test_resume_from_every_cut_is_identical(tmp_path: Path, name: str) -> None:
    proxy = additive(SPACE, failure_rate=0.1)
    whole = tmp_path / "whole"
    arguments: dict[str, Any] = {"amount": 6, "parallel": 4, "initial_design": 2, "finalists": 1}
    run(whole, name, proxy, **arguments)
    lines = (whole / "events.jsonl").read_bytes().splitlines(keepends=True)
    expected = drop_measurements(read_run(whole).events)
    assert any("fidelities" in event for event in expected)
    for kept in range(len(lines)):
        path = cut_copy(whole, tmp_path / f"cut-{kept}", kept)
        run(path, name, proxy, **arguments)
        assert drop_measurements(read_run(path).events) == expected


@pytest.mark.parametrize("name", NAMES)
def test_the_conformance_kit_passes(name: str) -> None:
    findings = list(Kit(load_searcher(name), {}).findings())
    assert [(f.question, f.words) for f in findings if not f.passed] == []
    assert len(findings) == 8


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "options", [{"reduction": 1}, {"num_rungs": 0}], ids=["reduction", "num_rungs"]
)
def test_wrong_options_are_refused(tmp_path: Path, name: str, options: dict[str, int]) -> None:
    with pytest.raises(InvalidSetting, match=f"^{name}.options.[a-z_]+ must be at least"):
        run(tmp_path, name, additive(SPACE), options=options)


def test_both_beat_random_at_equal_budget(tmp_path: Path) -> None:
    """Paired seeds, noise that grows as the training shortens, 40 average patterns of FLOPs."""
    regrets: dict[str, list[float]] = {name: [] for name in ["random", *NAMES]}
    for seed in range(24):
        proxy = additive(DEEP, landscape_seed=seed)
        amount = 40 * mean_cost(proxy).flops
        for name, found in regrets.items():
            path = tmp_path / f"{name}-{seed}"
            trials = run(path, name, proxy, amount=amount, unit="flops", seed=seed)
            found.append(_regret(proxy, trials))
    for name in NAMES:
        saved = np.subtract(regrets["random"], regrets[name])
        assert wilcoxon(saved, alternative="greater").pvalue < 0.01, name


def _regret(proxy: Landscape, trials: Sequence[Trial]) -> float:
    return proxy.regret(best_patterns(trials, 1)[0])
