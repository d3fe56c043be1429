"""Partial trainings: what is charged, what is compared with what, and that state is kept."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import wilcoxon

from fakes import FakeProxy, agreement, asking, cut_copy, run_search
from nasarena.baselines.hyperband import hyperband_brackets
from nasarena.baselines.successive_halving import Bracket
from nasarena.experiments.commands.conformance import Kit
from nasarena.experiments.settings.registry import load_searcher
from nasarena.figures.report.fairness import Point, fairness
from nasarena.figures.results.analysis import analyze
from nasarena.figures.results.rows import trial_rows
from nasarena.figures.results.tables import read_tables
from nasarena.proxies.cache import CachedProxy
from nasarena.proxies.data.task import Batch, TaskSplit
from nasarena.proxies.landscape import Landscape
from nasarena.proxies.landscapes import additive
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.trained import TrainedProxy
from nasarena.proxies.trained_settings import TrainedSettings
from nasarena.proxies.training.checkpoints import Checkpoint, Checkpoints, Part
from nasarena.proxies.training.train_settings import TrainSettings
from nasarena.search.budget import Budget, Unit
from nasarena.search.errors import InvalidSetting, ReplayDiverged
from nasarena.search.proxy import Proxy, TrialSeed, mean_cost
from nasarena.search.retraining import best_patterns
from nasarena.search.run_folder import drop_measurements, read_run
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Outcome, Proposal, Trial

SPACE = PatternSpace("AMS", 6)
DEEP = PatternSpace("AMS", 16)
NAMES = ["successive-halving", "hyperband"]
THIRD, NINTH = 1 / 3, 1 / 9


run = partial(run_search, initial_design=0, finalists=0)


# The loop: increments, duplicates, refusals.


@pytest.mark.parametrize("unit", ["flops", "tokens", "device_seconds", "trials"])
def test_the_parts_of_a_training_cost_what_the_whole_costs(tmp_path: Path, unit: Unit) -> None:
    proxy = additive(SPACE)
    asked = asking(("AMSAMS", NINTH), ("AMSAMS", THIRD), ("AMSAMS", 1.0))
    trials = run(tmp_path, asked, proxy, amount=1e18, unit=unit)
    assert [trial.status for trial in trials] == ["ok"] * 3
    whole = proxy.cost("AMSAMS")
    total = sum((trial.cost for trial in trials), Cost())
    assert (total.flops, total.tokens) == (whole.flops, whole.tokens)
    assert total.device_seconds == pytest.approx(whole.device_seconds)
    assert trials[1].cost == proxy.cost("AMSAMS", THIRD) - proxy.cost("AMSAMS", NINTH)
    spent = [event["spent"] for event in read_run(tmp_path).of_kind("settled")]
    price = Budget(unit, 1).price(whole)
    assert spent == pytest.approx([price * share for share in (NINTH, THIRD, 1)], rel=1e-5)
    rows = trial_rows(read_run(tmp_path))
    assert rows[-1][{"flops": "flops", "tokens": "tokens"}.get(unit, unit)] == pytest.approx(price)
    alone = proxy.evaluate(["AMSAMS"], [TrialSeed(0)])[0]
    assert (trials[2].score, trials[2].fidelity) == (alone.score, 1.0)


def test_what_was_paid_for_is_a_duplicate_answered_by_the_nearest(tmp_path: Path) -> None:
    asked = asking(
        ("AAAAAA", THIRD), ("AAAAAA", THIRD), ("AAAAAA", 1.0), ("AAAAAA", 0.2), ("AAAAAA", 0.5)
    )
    part, same, full, lower, between = run(tmp_path, asked, additive(SPACE))
    assert [t.status for t in (same, lower, between)] == ["duplicate"] * 3
    assert (same.score, same.duplicate_of, same.fidelity) == (part.score, 0, THIRD)
    assert (lower.score, lower.duplicate_of, lower.fidelity) == (part.score, 0, THIRD)
    assert (between.score, between.duplicate_of, between.fidelity) == (full.score, 2, 1.0)
    assert all(t.cost == Cost() for t in (same, lower, between))


def test_retraining_goes_on_upwards_and_begins_anew_otherwise(tmp_path: Path) -> None:
    asked = asking(("AAAAAA", THIRD), ("AAAAAA", 1.0), ("AAAAAA", THIRD), ("AAAAAA", 1.0))
    trials = run(tmp_path, asked, additive(SPACE), duplicates="retrain", parallel=2)
    assert [trial.replicate for trial in trials] == [0, 0, 1, 1]
    assert read_run(tmp_path).events[-1]["spent"] == pytest.approx(2.0)
    assert len({trial.score for trial in trials}) == 4


def test_a_failed_part_is_charged_for_that_part(tmp_path: Path) -> None:
    proxy = additive(SPACE, failure_rate=0.999)
    (trial,) = run(tmp_path, asking(("AAAAAA", THIRD)), proxy)
    assert (trial.status, trial.cost) == ("failed", proxy.cost("AAAAAA", THIRD))


@pytest.mark.parametrize("fidelity", [0, -0.5, 1.5, float("nan"), "half", None])
def test_a_fidelity_that_is_no_share_is_an_invalid_proposal(tmp_path: Path, fidelity: Any) -> None:
    asked = [Proposal("AAAAAA", fidelity=fidelity), Proposal("AAAAAA")]
    invalid, ok = run(tmp_path, asked, additive(SPACE))
    assert (invalid.status, ok.status) == ("invalid", "ok")
    assert "fidelity must be a number above 0 and at most 1, got" in invalid.note
    run(tmp_path, asked, additive(SPACE))


@pytest.mark.parametrize("cached", [False, True])
def test_a_proxy_without_parts_refuses_in_one_line(tmp_path: Path, cached: bool) -> None:
    proxy: Proxy = FakeProxy(SPACE, agreement("AMSAMS"), name="full-only")
    if cached:
        proxy = CachedProxy(proxy, tmp_path / "cache.sqlite")
    with pytest.raises(InvalidSetting, match="full-only has full ones only; choose") as error:
        run(tmp_path / "run", "hyperband", proxy)
    assert "\n" not in str(error.value)
    assert len(run(tmp_path / "full", asking(("AAAAAA", 1.0)), proxy)) == 1


def test_full_trainings_say_nothing_of_fidelity(tmp_path: Path) -> None:
    run(tmp_path, "random", additive(SPACE), initial_design=2, finalists=1)
    assert "fidelit" not in (tmp_path / "events.jsonl").read_text()
    trial = Trial(0, "AAAAAA", "ok", 1.0, fidelity=THIRD)
    assert Trial.from_json(trial.to_json()) == trial


def test_a_searcher_that_asks_another_fidelity_on_resume_is_found_out(tmp_path: Path) -> None:
    run(tmp_path, asking(("AAAAAA", THIRD), ("MMMMMM", THIRD)), additive(SPACE))
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "events.jsonl").write_bytes(b"".join(lines[:2]))
    with pytest.raises(ReplayDiverged, match="at trial 0 the record asked fidelities"):
        run(tmp_path, asking(("AAAAAA", 0.5)), additive(SPACE))


# A partial score never meets a full one.


def test_the_best_of_a_run_is_trained_in_full_unless_nothing_is(tmp_path: Path) -> None:
    trials = [
        Trial(0, "AAAAAA", "ok", 9.0, fidelity=NINTH),
        Trial(1, "MMMMMM", "ok", 5.0, fidelity=THIRD),
        Trial(2, "SSSSSS", "ok", 1.0),
    ]
    assert best_patterns(trials, 3) == ["SSSSSS"]
    assert best_patterns(trials[:2], 3) == ["MMMMMM"]


def test_the_anytime_curve_waits_for_a_full_training(tmp_path: Path) -> None:
    asked = asking(("AAAAAA", THIRD), ("MMMMMM", 1.0), ("SSSSSS", 0.9999))
    trials = run(tmp_path, asked, additive(SPACE))
    best = [row["best_so_far"] for row in trial_rows(read_run(tmp_path))]
    assert np.isnan(best[0])
    assert best[1:] == [trials[1].score] * 2


# The landscape and the cache.


def test_a_landscape_is_lower_and_noisier_the_shorter_the_training() -> None:
    proxy = additive(DEEP, noise=0)
    rng = stream(0, "patterns")
    patterns = [DEEP.sample(rng) for _ in range(400)]
    seeds = [TrialSeed(0)] * len(patterns)
    true = np.array([proxy.true_score(pattern) for pattern in patterns])
    for fidelity in (THIRD, NINTH):
        outcomes = proxy.evaluate(patterns, seeds, fidelities=[fidelity] * len(patterns))
        gap = np.array([outcome.score for outcome in outcomes], dtype=float) - true
        shortage = -np.log(fidelity)
        assert gap.mean() == pytest.approx(-shortage, abs=4 * 0.3 * shortage / 20)
        assert gap.std() == pytest.approx(0.3 * shortage, rel=0.15)
        again = proxy.evaluate(patterns[:3], seeds[:3], fidelities=[fidelity] * 3)
        assert [o.score for o in again] == [o.score for o in outcomes[:3]]


def test_the_cache_keeps_fidelities_apart(tmp_path: Path) -> None:
    inner = additive(SPACE)
    proxy = CachedProxy(inner, tmp_path / "cache.sqlite")
    patterns, seeds = ["AAAAAA"] * 3, [TrialSeed(0)] * 3
    shares = [NINTH, THIRD, 1.0]
    first = proxy.evaluate(patterns, seeds, fidelities=shares)
    assert (proxy.hits, proxy.misses) == (0, 3)
    again = proxy.evaluate(patterns[::-1], seeds, fidelities=shares[::-1])[::-1]
    assert (proxy.hits, proxy.misses) == (3, 3)
    expected = inner.evaluate(patterns, seeds, fidelities=shares)
    for one, other, wanted in zip(first, again, expected, strict=True):
        assert (one.score, one.cost) == (other.score, other.cost) == (wanted.score, wanted.cost)
    assert proxy.evaluate(["AAAAAA"], [TrialSeed(0)])[0].score == first[2].score
    assert proxy.cost("AAAAAA", THIRD) == inner.cost("AAAAAA", THIRD)


# Kept training state.


class Copying:
    """Random tokens, each to be repeated."""

    vocab_size, length, head = 5, 6, "language_model"
    num_train = 0

    def __init__(self, name: str = "copying") -> None:
        self.name = self.fingerprint = name

    def sample(self, run_seed: int, split: TaskSplit, num_examples: int) -> Batch:
        rng = stream(run_seed, "data", self.name, split)
        tokens = rng.integers(5, size=(num_examples, self.length))
        return Batch(tokens, np.concatenate([tokens[:, :1], tokens[:, :-1]], axis=1))


TRAIN = TrainSettings(
    steps=12, batch_size=3, num_eval=16, learning_rate=0.02, warmup_steps=2, weight_decay=0.1
)
SHAPE = ModelShape(width=8, num_heads=2, mamba_heads=2, mamba_state=4)
PATTERNS = ["AMS", "SSA", "MMM", "ASM"]
SEEDS = [TrialSeed(0), TrialSeed(1), TrialSeed(0), TrialSeed(0, 1)]


def make_proxy(train: TrainSettings = TRAIN, tasks: int = 2) -> TrainedProxy:
    space = PatternSpace("AMS", 3)
    names = [Copying(f"copying-{number}") for number in range(tasks)]
    return TrainedProxy("copying", space, names, TrainedSettings(SHAPE, train))


def scores(outcomes: Sequence[Outcome]) -> list[float | None]:
    return [outcome.score for outcome in outcomes]


@pytest.fixture(autouse=True)
def constant_calibration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds that are not measured, so that the only trainings are those of the test."""
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(TrainedProxy, "_measure_seconds", lambda self, pattern, num_steps: 1.0)


@pytest.fixture
def training_log(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """(models, first step, last step) of every population that is trained."""
    seen: list[tuple[int, int, int]] = []
    restore = Part.restore

    def noting(self: Part, owner: torch.Tensor, tensors: Sequence[torch.Tensor]) -> None:
        seen.append((int(owner.max()) + 1, self.start, self.stop))
        restore(self, owner, tensors)

    monkeypatch.setattr(Part, "restore", noting)
    return seen


def test_a_continued_training_is_the_training_at_once(
    training_log: list[tuple[int, int, int]],
) -> None:
    at_once, continued = make_proxy(), make_proxy()
    direct = at_once.evaluate(PATTERNS, SEEDS)
    parts = [
        continued.evaluate(PATTERNS, SEEDS, fidelities=[share] * 4) for share in (0.25, 0.5, 1.0)
    ]
    assert scores(parts[2]) == scores(direct)
    assert [o.metrics for o in parts[2]] == [o.metrics for o in direct]
    assert scores(parts[1]) == scores(make_proxy().evaluate(PATTERNS, SEEDS, fidelities=[0.5] * 4))
    assert len({*scores(parts[0]), *scores(parts[1]), *scores(direct)}) == 12
    spans = [(4, 0, 12)] * 2 + [(4, 0, 3)] * 2 + [(4, 3, 6)] * 2 + [(4, 6, 12)] * 2
    assert training_log[: len(spans)] == spans


def test_those_that_go_on_in_another_population_score_the_same(
    training_log: list[tuple[int, int, int]],
) -> None:
    direct = make_proxy().evaluate(PATTERNS, SEEDS)
    training_log.clear()
    proxy = make_proxy()
    proxy.evaluate(PATTERNS[:2], SEEDS[:2], fidelities=[0.25] * 2)
    proxy.evaluate(PATTERNS[2:3], SEEDS[2:3], fidelities=[0.5])
    mixed = proxy.evaluate(PATTERNS[::-1], SEEDS[::-1])[::-1]
    assert [o.score for o in mixed] == pytest.approx(scores(direct), abs=1e-4)
    assert sorted(training_log[4::2]) == [(1, 0, 12), (1, 6, 12), (2, 3, 12)]


def test_lost_state_costs_time_alone() -> None:
    direct = make_proxy().evaluate(PATTERNS, SEEDS)
    proxy = make_proxy()
    proxy._checkpoints = Checkpoints(limit_bytes=1)  # as after a kill, or with too many others
    part = proxy.evaluate(PATTERNS, SEEDS, fidelities=[0.5] * 4)
    whole = proxy.evaluate(PATTERNS, SEEDS)
    assert scores(whole) == scores(direct)
    assert [o.cost for o in whole] == [o.cost for o in direct]
    assert [o.cost.flops * 2 for o in part] == [o.cost.flops for o in whole]


def test_a_lower_fidelity_afterwards_is_trained_from_the_start() -> None:
    proxy = make_proxy()
    first = proxy.evaluate(PATTERNS, SEEDS, fidelities=[0.25] * 4)
    proxy.evaluate(PATTERNS, SEEDS, fidelities=[0.5] * 4)
    assert scores(proxy.evaluate(PATTERNS, SEEDS, fidelities=[0.25] * 4)) == scores(first)
    both = proxy.evaluate(PATTERNS[:1] * 2, SEEDS[:1] * 2, fidelities=[0.25, 1.0])
    assert both[0].score == pytest.approx(first[0].score, abs=1e-4)


def test_a_diverged_part_is_a_failed_trial_and_the_others_go_on() -> None:
    train = replace(TRAIN, learning_rate=1e3, clip=1e3)
    proxy = make_proxy(train, tasks=1)
    part = proxy.evaluate(PATTERNS, SEEDS, fidelities=[0.5] * 4)
    assert "failed" in {outcome.status for outcome in part}
    whole = proxy.evaluate(PATTERNS, SEEDS)
    direct = make_proxy(train, tasks=1).evaluate(PATTERNS, SEEDS)
    assert [(o.status, o.note) for o in whole] == [(o.status, o.note) for o in direct]


def test_the_longest_unused_checkpoint_goes_first() -> None:
    kept = Checkpoints(limit_bytes=2 * 3 * 4 * 10)

    def part(step: int) -> Part:
        return Part(0, step, after=[Checkpoint(step, torch.zeros(3, 10))])

    kept.store(["a"], part(4))
    kept.store(["b"], part(4))
    kept.part(["a"], 8, 12)  # used
    kept.store(["c"], part(4))
    assert [kept.step([key], 8) for key in "abc"] == [4, 0, 4]
    assert kept.step(["a"], 3) == 0 and kept.step(["a", "c"], 8) == 4
    kept.store(["c"], part(6))
    assert kept.step(["a", "c"], 8) == 0  # not at the same step
    kept.store(["a"], Part(4, 12))
    assert kept.step(["a"], 12) == 0 and kept.step(["c"], 12) == 6


# The baselines.


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


def test_a_run_of_real_trainings_resumes_after_its_state_is_lost(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"amount": 3, "parallel": 3, "initial_design": 1, "finalists": 1}
    run(tmp_path, "successive-halving", make_proxy(), **arguments)
    whole = read_run(tmp_path).events
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "events.jsonl").write_bytes(b"".join(lines[: len(lines) * 2 // 3]))
    run(tmp_path, "successive-halving", make_proxy(), **arguments)
    resumed = read_run(tmp_path).events
    for old, new in zip(whole, resumed, strict=True):
        if old["event"] == "settled":
            assert new["trial"].pop("score") == pytest.approx(old["trial"].pop("score"), abs=1e-4)
            del old["trial"]["metrics"], new["trial"]["metrics"]
        if old["event"] != "final":
            assert drop_measurements([new]) == drop_measurements([old])


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


def test_fairness_tells_runs_of_different_fidelity_apart(tmp_path: Path) -> None:
    """One pattern after a ninth and in full are two scores, not one that differs; a mixed-up score
    of one fidelity is still found out."""
    space = PatternSpace("AM", 4)
    proxy = additive(space)
    budget = {"unit": "trials", "amount": 10, "charge_llm": False}
    for name in ("random", *NAMES):
        config = {
            "searcher": {"name": name, "options": {}},
            "proxy": {"name": proxy.name, "version": proxy.version},
            "space": {"alphabet": space.alphabet, "depth": space.depth},
            "budget": budget,
            "loop": {"seed": 0, "initial_design": 0},
        }
        run(tmp_path / name / "seed-0", name, proxy, amount=10, config=config)
    tables = read_tables(tmp_path)
    scored = tables.trials[tables.trials["status"] == "ok"]
    by_pattern = scored.groupby(["pattern", "replicate"])
    assert (by_pattern["fidelity"].nunique() > 1).any() and (
        by_pattern["score"].nunique() > 1
    ).any()

    def landscape() -> Point:
        return next(p for p in fairness(analyze(tmp_path)) if "whoever asks" in p.claim)

    assert landscape().answer == "yes" and "0 differ" in landscape().detail
    shared = scored.groupby(["pattern", "replicate", "fidelity"])["searcher"].nunique()
    pattern, _, fidelity = shared[(shared > 1)].index[0]
    rows = scored[(scored["pattern"] == pattern) & (scored["fidelity"] == fidelity)]
    file = tmp_path / str(rows["searcher"].iloc[0]) / "seed-0" / "events.jsonl"
    file.write_text(file.read_text().replace(f'"score":{rows["score"].iloc[0]}', '"score":9.5'))
    assert landscape().answer == "no" and "1 differ" in landscape().detail
