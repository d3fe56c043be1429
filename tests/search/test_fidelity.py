"""Partial trainings in the loop: what is charged, what is compared with what, what is refused."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes import FakeProxy, agreement, asking, run_search
from nasarena.figures.report.fairness import Point, fairness
from nasarena.figures.results.analysis import analyze
from nasarena.figures.results.rows import trial_rows
from nasarena.figures.results.tables import read_tables
from nasarena.proxies.cache import CachedProxy
from nasarena.proxies.landscapes import additive
from nasarena.search.budget import Budget, Unit
from nasarena.search.errors import InvalidSetting, ReplayDiverged
from nasarena.search.proxy import Proxy, TrialSeed
from nasarena.search.retraining import best_patterns
from nasarena.search.run_folder import read_run
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Proposal, Trial

SPACE = PatternSpace("AMS", 6)
DEEP = PatternSpace("AMS", 16)
THIRD, NINTH = 1 / 3, 1 / 9


run = partial(run_search, initial_design=0, finalists=0)


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


def test_fairness_tells_runs_of_different_fidelity_apart(tmp_path: Path) -> None:
    """One pattern after a ninth and in full are two scores, not one that differs; a mixed-up score
    of one fidelity is still found out."""
    space = PatternSpace("AM", 4)
    proxy = additive(space)
    budget = {"unit": "trials", "amount": 10, "charge_llm": False}
    for name in ("random", "successive-halving", "hyperband"):
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
