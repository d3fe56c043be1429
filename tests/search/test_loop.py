"""The one loop: budget, duplicates, failures, searchers that misbehave, resume by replay."""

import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes import FakeProxy, Listing, Sampling, cut_copy, frozen_noise, run_search
from nasarena.search.errors import (
    InvalidSetting,
    NasArenaError,
    ReplayDiverged,
    RunFolderRefused,
    SearcherFailed,
)
from nasarena.search.proxy import mean_cost
from nasarena.search.retraining import best_patterns
from nasarena.search.run_folder import RunFolder, drop_measurements, find_runs, read_run
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Outcome, Proposal, Trial

SPACE = PatternSpace("AMS", 6)


def counting() -> FakeProxy:
    """Score: number of A plus frozen noise. Patterns that begin with SS diverge."""
    return FakeProxy(
        SPACE,
        lambda pattern, seed, split: pattern.count("A") + frozen_noise(pattern, seed, split, 0.1),
        fails="^SS",
        cost=lambda p: Cost(flops=10 + p.count("S"), tokens=7, device_seconds=0.5),
    )


@searcher("random")
def random_search(history: list[Trial], space: PatternSpace, rng: np.random.Generator) -> str:
    return space.sample(rng)


@searcher("climb")
def climb(space: PatternSpace, rng: np.random.Generator) -> Generator[str, Trial, None]:
    best: Trial | None = None
    while True:
        trial = yield space.sample(rng) if best is None else space.mutate(best.pattern, rng)
        if trial.score is not None and (best is None or trial.score > (best.score or 0)):
            best = trial


def run(path: Path, target: Any, proxy: FakeProxy | None = None, **settings: Any) -> list[Trial]:
    return run_search(path, target, proxy or counting(), **settings)


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


def test_resume_from_every_cut_is_identical_and_trains_a_cut_batch_whole(tmp_path: Path) -> None:
    whole, complete = tmp_path / "whole", counting()
    run(whole, Sampling, complete, amount=14, parallel=3, finalists=3, final_replicates=1)
    lines = (whole / "events.jsonl").read_bytes().splitlines(keepends=True)
    expected = drop_measurements(read_run(whole).events)
    for kept in range(len(lines)):
        path = cut_copy(whole, tmp_path / f"cut-{kept}", kept)
        proxy = counting()
        run(path, Sampling, proxy, amount=14, parallel=3, finalists=3, final_replicates=1)
        assert drop_measurements(read_run(path).events) == expected
        settled = sum(
            b'"event":"settled"' in line and b'"flops":0' not in line for line in lines[:kept]
        )
        finals = sum(b'"event":"final"' in line for line in lines[:kept])
        begun = len(complete.trained) - len(proxy.trained)
        assert proxy.trained == complete.trained[begun:]
        assert 0 <= settled + finals - begun < 4  # what was on record of the cut batch


@pytest.mark.parametrize("seconds", [0.2, 2.0])
def test_a_resumed_run_keeps_what_its_trials_were_charged(tmp_path: Path, seconds: float) -> None:
    """Between the two parts, or on another machine, a training was found to take another time."""
    run(tmp_path, Sampling, unit="device_seconds", amount=10, parallel=3, finalists=0)
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:12]))
    before = read_run(tmp_path).trials()
    proxy = counting()
    proxy.cost = lambda pattern: Cost(10, 7, seconds)  # type: ignore[method-assign]
    trials = run(
        tmp_path, Sampling, proxy, unit="device_seconds", amount=10, parallel=3, finalists=0
    )
    assert len(before) > 4 and trials[: len(before)] == before
    new = [trial for trial in trials[len(before) :] if trial.status in ("ok", "failed")]
    assert {trial.cost.device_seconds for trial in new} == {seconds}
    spent = read_run(tmp_path).events[-1]["spent"]
    assert spent == pytest.approx(sum(trial.cost.device_seconds for trial in trials))
    assert spent <= 10


def test_a_finished_run_is_left_alone(tmp_path: Path) -> None:
    first = run(tmp_path, climb)
    before = (tmp_path / "events.jsonl").read_bytes()
    proxy = counting()
    assert run(tmp_path, climb, proxy) == first
    assert (tmp_path / "events.jsonl").read_bytes() == before
    assert proxy.trained == []


def test_a_searcher_that_is_not_pure_is_found_out_on_resume(tmp_path: Path) -> None:
    run(tmp_path, random_search, finalists=3, final_replicates=1)
    events = (tmp_path / "events.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "events.jsonl").write_bytes(b"".join(events[:-8]))
    with pytest.raises(ReplayDiverged, match="at trial 5, the searcher now asks"):
        run(tmp_path, climb)


def test_a_failed_run_goes_on_when_its_searcher_is_mended(tmp_path: Path) -> None:
    with pytest.raises(SearcherFailed):
        run(tmp_path, Raises)

    class Mended(Raises):
        def ask(self, n: int) -> list[str]:
            self.count += 1
            return ["AAAAA" + "AMS"[self.count % 3]]

    run(tmp_path, Mended, max_duplicates=5)
    assert read_run(tmp_path).state == "finished"


def test_another_configuration_is_refused_and_named(tmp_path: Path) -> None:
    run(tmp_path, climb, seed=1)
    with pytest.raises(RunFolderRefused, match="seed is 1, not 2"):
        run(tmp_path, climb, seed=2)


def test_two_writers_cannot_share_a_folder(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {}, {}):
        with pytest.raises(RunFolderRefused, match="being written by another process"):
            RunFolder(tmp_path, {}, {})


def test_two_configurations_at_one_moment_do_not_share_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither finds the other's header; whoever locks second must look again."""
    lock = RunFolder._lock

    def lock_second(folder: RunFolder) -> None:
        monkeypatch.setattr(RunFolder, "_lock", lock)
        RunFolder(tmp_path, {"seed": 2}, {}).close()
        lock(folder)

    monkeypatch.setattr(RunFolder, "_lock", lock_second)
    with pytest.raises(RunFolderRefused, match="seed is 2, not 1"):
        RunFolder(tmp_path, {"seed": 1}, {})
    assert read_run(tmp_path).config == {"seed": 2}
    RunFolder(tmp_path, {"seed": 2}, {}).close()  # and nothing holds the lock


def test_a_folder_that_is_only_looked_at_is_waited_for(tmp_path: Path) -> None:
    looking = RunFolder(tmp_path, {}, {})
    closing = threading.Timer(0.2, looking.close)
    closing.start()
    RunFolder(tmp_path, {}, {}).close()
    closing.join()


def test_damage_in_the_middle_is_refused_not_dropped(tmp_path: Path) -> None:
    run(tmp_path, climb)
    content = (tmp_path / "events.jsonl").read_bytes().splitlines(keepends=True)
    content[5] = b"{torn\n"
    (tmp_path / "events.jsonl").write_bytes(b"".join(content))
    with pytest.raises(RunFolderRefused, match="damaged at line 6"):
        read_run(tmp_path)


def test_the_words_of_a_record_are_held_once(tmp_path: Path) -> None:
    run(tmp_path, climb)
    one, other = list(read_run(tmp_path).of_kind("settled"))[-2:]
    assert all(a is b for a, b in zip(one["trial"], other["trial"], strict=True))
    assert one["trial"]["status"] is other["trial"]["status"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"config": {}}'])
def test_an_unreadable_header_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(RunFolderRefused, match="cannot be read as the header of a run"):
        read_run(tmp_path)


def test_a_full_disk_is_one_clear_line_and_resumable(tmp_path: Path) -> None:
    # /dev/full accepts an open file and refuses every byte, as a full disk does.
    folder = RunFolder(tmp_path, {"seed": 0}, {})
    folder.close()
    folder._file = open("/dev/full", "ab")
    with pytest.raises(NasArenaError, match="No space left on device; everything before is kept"):
        folder.append({"event": "asked", "first": 0, "patterns": ["A"]})
    folder.close()
    run(tmp_path, climb)
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


def test_runs_are_found_below_a_comparison(tmp_path: Path) -> None:
    for name in ("b/seed-0", "a/seed-1", "a/seed-0"):
        run(tmp_path / name, climb, amount=5)
    names = [str(path.relative_to(tmp_path)) for path in find_runs(tmp_path)]
    assert names == ["a/seed-0", "a/seed-1", "b/seed-0"]


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
