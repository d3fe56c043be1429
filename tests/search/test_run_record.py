"""A run's folder: resuming from any cut, one writer at a time, damage and a full disk."""

import threading
from pathlib import Path

import pytest
from counting_runs import climb, counting, random_search, run

from fakes import Sampling, cut_copy
from nasarena.search.errors import (
    NasArenaError,
    ReplayDiverged,
    RunFolderRefused,
)
from nasarena.search.run_folder import RunFolder, drop_measurements, find_runs, read_run
from nasarena.search.trial import Cost


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
def test_resume_keeps_the_charges_of_earlier_trials(tmp_path: Path, seconds: float) -> None:
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


def test_run_folder_refuses_another_configuration_by_name(tmp_path: Path) -> None:
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


def test_read_run_refuses_damage_in_the_middle(tmp_path: Path) -> None:
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
def test_read_run_refuses_a_header_of_nonsense(tmp_path: Path, content: str) -> None:
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


def test_runs_are_found_below_a_comparison(tmp_path: Path) -> None:
    for name in ("b/seed-0", "a/seed-1", "a/seed-0"):
        run(tmp_path / name, climb, amount=5)
    names = [str(path.relative_to(tmp_path)) for path in find_runs(tmp_path)]
    assert names == ["a/seed-0", "a/seed-1", "b/seed-0"]
