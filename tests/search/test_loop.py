"""The one loop: budget, duplicates, failures, searchers that misbehave, resume by replay."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counting_runs import climb, counting, random_search, run

from fakes import Listing, Sampling
from nasarena.search.errors import (
    InvalidSetting,
    SearcherFailed,
)
from nasarena.search.proxy import mean_cost
from nasarena.search.retraining import best_patterns
from nasarena.search.run_folder import read_run
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Outcome, Proposal, Trial


def test_the_budget_is_used_up_and_never_overspent(tmp_path: Path) -> None:
    trials = run(tmp_path, random_search, unit="flops", amount=300, finalists=0)
    spent = sum(trial.cost.flops for trial in trials)
    assert 300 - 16 < spent <= 300  # the dearest pattern costs 16
    events = read_run(tmp_path).events
    assert events[-1]["event"] == "finished"
    assert events[-1]["spent"] == spent
    assert events[-1]["reason"].startswith("budget spent: the next trial takes")


@pytest.mark.parametrize("target", [random_search, climb, Sampling])
@pytest.mark.parametrize("parallel", [1, 3, 7])
def test_a_budget_of_n_trials_is_n_evaluations(tmp_path: Path, target: Any, parallel: int) -> None:
    trials = run(tmp_path, target, amount=20, parallel=parallel)
    assert sum(trial.cost.flops > 0 for trial in trials) == 20
    assert [trial.index for trial in trials] == list(range(len(trials)))


def test_every_searcher_starts_from_the_same_design_of_its_seed(tmp_path: Path) -> None:
    starts = [
        [trial.pattern for trial in run(tmp_path / str(i), target, seed=seed)[:4]]
        for i, (target, seed) in enumerate([(random_search, 3), (climb, 3), (Sampling, 4)])
    ]
    assert starts[0] == starts[1] != starts[2]
    assert len(set(starts[0])) == 4
    told = Listing(["AAAAAA"])
    run(tmp_path / "told", told, seed=3)
    assert [trial.pattern for trial in told.told[:4]] == starts[0]
    assert {trial.provenance for trial in told.told[:4]} == {"initial_design"}


def test_the_same_pattern_and_seed_score_the_same_for_every_searcher(tmp_path: Path) -> None:
    one = run(tmp_path / "1", ["AMSAMS", "AAAAAA"], initial_design=0)
    other = run(tmp_path / "2", ["AAAAAA", "MMMMMM", "AMSAMS"], initial_design=0)
    scores = {trial.pattern: trial.score for trial in other}
    assert all(scores[trial.pattern] == trial.score for trial in one)


def test_a_duplicate_is_answered_from_the_record_and_free(tmp_path: Path) -> None:
    proxy = counting()
    first, second, third = run(
        tmp_path,
        ["AAAAAA", "MMMMMM", "AAAAAA"],
        proxy,
        initial_design=0,
        finalists=0,
    )
    assert (third.status, third.score, third.duplicate_of) == ("duplicate", first.score, 0)
    assert third.cost == Cost()
    assert [pattern for pattern, _, _ in proxy.trained] == ["AAAAAA", "MMMMMM"]


def test_duplicates_within_one_batch_are_trained_once(tmp_path: Path) -> None:
    proxy = counting()
    trials = run(tmp_path, ["AAAAAA"] * 3, proxy, initial_design=0, parallel=3, finalists=0)
    assert [trial.status for trial in trials] == ["ok", "duplicate", "duplicate"]
    assert len(proxy.trained) == 1


def test_retraining_duplicates_charges_them_and_draws_a_new_seed(tmp_path: Path) -> None:
    trials = run(
        tmp_path,
        ["AAAAAA"] * 3,
        initial_design=0,
        duplicates="retrain",
        parallel=2,
    )
    assert [trial.replicate for trial in trials] == [0, 1, 2]
    assert len({trial.score for trial in trials}) == 3
    assert all(trial.cost.flops for trial in trials)


def test_a_converged_searcher_ends_instead_of_asking_for_ever(tmp_path: Path) -> None:
    @searcher("stubborn")
    def stubborn(history: list[Trial], space: PatternSpace, rng: np.random.Generator) -> str:
        return "AAAAAA"

    trials = run(tmp_path, stubborn, initial_design=0, max_duplicates=9)
    assert len(trials) == 10
    assert read_run(tmp_path).events[-1]["reason"] == "9 duplicates in a row"


def test_failures_are_trials_charged_in_full_and_told(tmp_path: Path) -> None:
    target = Listing(["SSAAAA", "AAAAAA", "SSAAAA"])
    failed, ok, again = run(tmp_path, target, initial_design=0)
    assert (failed.status, failed.score, failed.cost.flops) == ("failed", None, 12)
    assert failed.note == "loss became nan at step 3"
    assert (again.status, again.score, again.cost) == ("duplicate", None, Cost())
    assert [trial.status for trial in target.told] == ["failed", "ok", "duplicate"]


def test_invalid_proposals_are_free_counted_and_told_why(tmp_path: Path) -> None:
    target = Listing(["AAXAAA", "AAA", 17, None, "AAAAAA"])
    trials = run(tmp_path, target, initial_design=0)
    assert [trial.status for trial in trials] == ["invalid"] * 4 + ["ok"]
    assert "'X' at position 3" in trials[0].note
    assert trials[2].pattern == "<int>"
    assert all(trial.cost == Cost() for trial in trials[:4])


def test_nothing_but_nonsense_is_a_failed_searcher(tmp_path: Path) -> None:
    with pytest.raises(SearcherFailed, match="made 5 invalid proposals in a row, the last: patt"):
        run(tmp_path, ["?"] * 50, initial_design=0, max_duplicates=5)
    assert read_run(tmp_path).state == "failed"
    assert len(read_run(tmp_path).trials()) == 5


class Raises:
    def __init__(self, space: PatternSpace, rng: np.random.Generator) -> None:
        self.count = 0

    def ask(self, n: int) -> list[str]:
        self.count += 1
        if self.count == 3:
            raise ZeroDivisionError("acquisition is flat")
        return ["AAAAA" + "AMS"[self.count % 3]]

    def tell(self, trials: Sequence[Trial]) -> None: ...


class TooMany(Raises):
    def ask(self, n: int) -> list[str]:
        return ["AAAAAA"] * (n + 1)


class NotAList(Raises):
    def ask(self, n: int) -> Any:
        return "AAAAAA"


class ForEver(Raises):
    def ask(self, n: int) -> list[str]:
        while True:
            time.sleep(0.001)


class TriesAgain(Raises):
    """An honest loop of attempts, which takes an interruption for one more failure."""

    def ask(self, n: int) -> list[str]:
        while True:
            try:
                time.sleep(0.001)
                raise OSError("not ready")
            except Exception:
                continue


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Raises, "ask raised ZeroDivisionError: acquisition is flat"),
        (TooMany, "asked for at most 1 patterns, got 2"),
        (NotAList, "must return a list of patterns, got str"),
        (TriesAgain, r"ask raised AskTimeout: no answer within 0.2 s"),
        (ForEver, r"ask raised AskTimeout: no answer within 0.2 s \(ask_timeout_s\)"),
    ],
)
def test_a_searcher_that_breaks_down_keeps_what_was_recorded(
    tmp_path: Path, target: Any, message: str
) -> None:
    with pytest.raises(SearcherFailed, match=message):
        run(tmp_path, target, ask_timeout_s=0.2)
    record = read_run(tmp_path)
    assert record.state == "failed"
    assert len(record.trials()) >= 4  # the initial design at least
    assert record.events[-1]["reason"]


def test_a_budget_below_one_trial_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="too small for one trial: the next trial takes 1"):
        run(tmp_path, random_search, unit="flops", amount=5)


def test_a_failed_run_goes_on_when_its_searcher_is_mended(tmp_path: Path) -> None:
    with pytest.raises(SearcherFailed):
        run(tmp_path, Raises)

    class Mended(Raises):
        def ask(self, n: int) -> list[str]:
            self.count += 1
            return ["AAAAA" + "AMS"[self.count % 3]]

    run(tmp_path, Mended, max_duplicates=5)
    assert read_run(tmp_path).state == "finished"


def test_final_scores_come_from_fresh_seeds_on_held_out_data(tmp_path: Path) -> None:
    proxy = counting()
    trials = run(tmp_path, random_search, proxy, finalists=2, final_replicates=3)
    finals = list(read_run(tmp_path).of_kind("final"))
    best = best_patterns(trials, 2)
    assert [event["pattern"] for event in finals] == [best[0]] * 3 + [best[1]] * 3
    retrained = [(seed, split) for _, seed, split in proxy.trained[-6:]]
    assert {split for _, split in retrained} == {"held_out"}
    assert len({seed.run for seed, _ in retrained}) == 3
    assert all(seed.run != 0 for seed, _ in retrained)
    assert read_run(tmp_path).events[-1]["spent"] == 20  # re-training is not charged


def test_the_best_are_distinct_ok_and_ties_go_to_the_earlier() -> None:
    def trial(index: int, pattern: str, score: float | None, status: Any = "ok") -> Trial:
        return Trial(index, pattern, status, score)

    trials = [
        trial(0, "A", 1.0),
        trial(1, "B", 2.0),
        trial(2, "B", 2.0, "duplicate"),
        trial(3, "C", 2.0),
        trial(4, "D", None, "failed"),
    ]
    assert best_patterns(trials, 3) == ["B", "C", "A"]


def test_provenance_parents_and_details_are_kept(tmp_path: Path) -> None:
    proposal = Proposal("AAAAAA", "llm", (1, 2), {"name": "all attention"})
    (trial,) = run(tmp_path, [proposal], initial_design=0)
    (read,) = read_run(tmp_path).trials()
    assert read == trial
    assert (read.provenance, read.parents, read.details) == (
        "llm",
        (1, 2),
        {"name": "all attention"},
    )


def test_mean_cost_is_the_mean_over_the_space() -> None:
    # A third of six letters is S, so 10 + 2 FLOPs on average.
    cost = mean_cost(counting(), num_samples=4096)
    assert cost.flops in (11, 12)
    assert cost.tokens == 7
    assert cost.device_seconds == pytest.approx(0.5)


def test_scores_that_are_no_numbers_never_get_past_a_proxy() -> None:
    with pytest.raises(ValueError, match="must be finite"):
        Outcome("ok", float("nan"), Cost())
    with pytest.raises(ValueError, match="exactly when it is ok"):
        Outcome("failed", 1.0, Cost())
