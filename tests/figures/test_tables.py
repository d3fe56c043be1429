"""From run folders to tables: what is kept, what stands apart and why, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fakes import edit_events
from nasarena.figures.results.tables import Tables, read_tables
from nasarena.search.errors import NasArenaError
from nasarena.search.run_folder import read_run

AddRun = Callable[..., Path]


def reasons(tables: Tables) -> dict[tuple[str, int], str]:
    return {(run.searcher, run.seed): run.reason for run in tables.excluded}


def test_a_whole_comparison_is_kept_whole(comparison: Path) -> None:
    tables = read_tables(comparison)
    assert tables.searchers == ["climber", "halfway", "random"]
    assert tables.seeds == (0, 1, 2, 3)
    assert tables.excluded == ()
    assert len(tables.runs) == 12 and tables.unit == "trials"
    assert (tables.runs["num_trained"] == 12).all()
    assert set(tables.references["name"]) == {"striped", "all attention"}
    assert len(tables.references) == 2 * 4


def test_meters_and_best_score_follow_the_events(comparison: Path) -> None:
    tables = read_tables(comparison)
    trials = read_run(comparison / "climber" / "seed-2").trials()
    rows = tables.trials.query("searcher == 'climber' and seed == 2")
    assert rows["pattern"].tolist() == [trial.pattern for trial in trials]
    assert rows["flops"].tolist() == np.cumsum([trial.cost.flops for trial in trials]).tolist()
    trained = [trial.status in ("ok", "failed") for trial in trials]
    assert rows["trials"].tolist() == np.cumsum(trained).tolist()
    best = float("nan")
    for trial, shown in zip(trials, rows["best_so_far"], strict=True):
        if trial.status == "ok" and trial.score is not None:
            best = trial.score if np.isnan(best) else max(best, trial.score)
        assert shown == best or (np.isnan(shown) and np.isnan(best))
    assert rows["price"].sum() == rows["spent"].iloc[-1] == 12


def test_the_final_score_is_the_mean_of_the_re_trainings(comparison: Path) -> None:
    tables = read_tables(comparison)
    record = read_run(comparison / "random" / "seed-1")
    scores = [event["outcome"]["score"] for event in record.of_kind("final")]
    run = tables.runs.query("searcher == 'random' and seed == 1").iloc[0]
    assert len(scores) == 2 and run["final"] == pytest.approx(np.mean(scores))
    search = {trial.pattern: trial.score for trial in record.trials() if trial.status == "ok"}
    again = [search[event["pattern"]] for event in record.of_kind("final")]
    assert run["search_of_finals"] == pytest.approx(np.mean([x for x in again if x is not None]))
    assert tables.by_seed("final")["random"][1] == run["final"]


def test_a_reference_that_failed_was_never_trained_again(tmp_path: Path, add_run: AddRun) -> None:
    add_run(tmp_path, "random", 0)
    patterns = {"striped": "AMSAMS", "diverging": "AAAASS"}
    add_run(tmp_path, "references", 0, references=patterns, replicates=3)
    rows = read_tables(tmp_path).references.set_index("name")
    assert rows["trainings"].to_dict() == {"striped": 3, "diverging": 0}
    assert rows[["score", "final"]].isna().any(axis=1).to_dict() == {
        "striped": False,
        "diverging": True,
    }


def test_broken_runs_stand_apart_with_their_reason(tmp_path: Path, add_run: AddRun) -> None:
    for seed in (0, 1):
        add_run(tmp_path, "random", seed)
        add_run(tmp_path, "good", seed, greed=0.9)
    add_run(tmp_path, "crasher", 0, raises=True)
    add_run(tmp_path, "hopeless", 0, fails=True)
    add_run(tmp_path, "newer", 0, version="8")
    cut = add_run(tmp_path, "cut", 0) / "events.jsonl"
    lines = cut.read_text().splitlines(keepends=True)
    cut.write_text("".join(line for line in lines if '"finished"' not in line))
    tables = read_tables(tmp_path)
    assert tables.searchers == ["good", "random"] and tables.seeds == (0, 1)
    found = reasons(tables)
    assert found["crasher", 0].startswith("ask raised RuntimeError: out of ideas (ask, fakes.py:")
    assert found["hopeless", 0].startswith("none of its 12 trials was scored, the last: loss")
    assert found["newer", 0] == "made under another condition: proxy.version is '8', not '7'"
    assert found["cut", 0].startswith("not finished: it stands at 12 trials")


def test_only_the_complete_block_is_averaged(tmp_path: Path, add_run: AddRun) -> None:
    for seed in range(4):
        add_run(tmp_path, "random", seed)
        if seed != 2:
            add_run(tmp_path, "nearly", seed, greed=0.5)
    add_run(tmp_path, "late", 0)
    tables = read_tables(tmp_path)
    assert tables.searchers == ["nearly", "random"] and tables.seeds == (0, 1, 3)
    found = reasons(tables)
    assert set(found) == {("late", 0), ("random", 2)}
    assert "seed 2 is missing for another searcher" in found["random", 2]
    assert "it lacks seeds that the others have" in found["late", 0]


def test_of_equally_large_blocks_the_one_with_more_searchers_is_kept(
    tmp_path: Path, add_run: AddRun
) -> None:
    """One searcher on two seeds or two searchers on one: a comparison needs two."""
    add_run(tmp_path, "random", 0)
    add_run(tmp_path, "random", 1)
    add_run(tmp_path, "late", 0)
    tables = read_tables(tmp_path)
    assert tables.searchers == ["late", "random"] and tables.seeds == (0,)
    assert set(reasons(tables)) == {("random", 1)}


def test_seconds_measured_are_the_searchers_and_the_trainings(
    tmp_path: Path, add_run: AddRun
) -> None:
    """Planted: an ask takes 10 s, telling 5 s, a training 1 s; the initial four are one ask."""
    planted = {"asked": {"ask_s": 10.0, "tell_s": 5.0}, "settled": {"s": 1.0}}
    run = add_run(tmp_path, "random", 0, amount=7)
    edit_events(run, lambda event: event["measured"].update(planted.get(event["event"], {})))
    tables = read_tables(tmp_path)
    assert tables.trials["measured_seconds"].tolist() == [16, 17, 18, 19, 35, 51, 67]
    assert tables.trials["training_seconds"].tolist() == [1] * 7
    assert tables.runs["searcher_seconds"].tolist() == [75]  # the fifth ask did not fit
    assert tables.runs["training_seconds"].tolist() == [7]


def test_other_options_of_one_searcher_are_another_searcher(
    tmp_path: Path, add_run: AddRun
) -> None:
    add_run(tmp_path / "a", "evolution", 0, options={"population": 50, "tournament": 5})
    add_run(tmp_path / "b", "evolution", 0, options={"population": 20, "tournament": 5})
    expected = ["evolution (population=20)", "evolution (population=50)"]
    assert read_tables(tmp_path).searchers == expected


def test_all_failed_gives_empty_tables(tmp_path: Path, add_run: AddRun) -> None:
    add_run(tmp_path, "random", 0, fails=True)
    tables = read_tables(tmp_path)
    assert tables.runs.empty and tables.trials.empty and tables.searchers == []
    assert list(reasons(tables)) == [("random", 0)]


def test_the_hash_of_the_data_changes_with_the_data_alone(tmp_path: Path, add_run: AddRun) -> None:
    add_run(tmp_path / "x", "random", 0)
    first = read_tables(tmp_path / "x").data_hash
    assert read_tables(tmp_path / "x").data_hash == first
    (tmp_path / "x").rename(tmp_path / "y")
    assert read_tables(tmp_path / "y").data_hash == first
    add_run(tmp_path / "y", "random", 1)
    assert read_tables(tmp_path / "y").data_hash != first


def test_what_cannot_be_compared_is_refused_in_one_line(tmp_path: Path, add_run: AddRun) -> None:
    def message(folder: Path) -> str:
        with pytest.raises(NasArenaError) as caught:
            read_tables(folder)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "holds no run of a searcher" in message(tmp_path)
    add_run(tmp_path / "mixed", "random", 0)
    add_run(tmp_path / "mixed", "tpe", 0, amount=20)
    assert "budget.amount is 20, not 12" in message(tmp_path / "mixed")
    add_run(tmp_path / "twins" / "a", "random", 0)
    add_run(tmp_path / "twins" / "b", "random", 0)
    assert "two runs of random with seed 0" in message(tmp_path / "twins")
    header = add_run(tmp_path / "odd", "random", 0) / "run.json"
    content = json.loads(header.read_text())
    del content["config"]["loop"]
    header.write_text(json.dumps(content))
    assert "config.loop.seed" in message(tmp_path / "odd")
