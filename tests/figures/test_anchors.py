"""Frozen anchors: written once, read ever after, so that a newcomer moves nobody's numbers."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nasarena.figures.report.table import standings_table
from nasarena.figures.results.analysis import analyze
from nasarena.figures.results.anchors import (
    FILE_NAME,
    VERSION,
    Anchors,
    Scale,
    compute_anchors,
    freeze_anchors,
    load_anchors,
)
from nasarena.figures.results.noise import noise_floor
from nasarena.figures.results.running_times import (
    TARGETS,
    areas,
    hits_by_seed,
    running_times,
    target_scores,
)
from nasarena.figures.results.standings import deciding_scale, standings
from nasarena.figures.results.tables import read_tables
from nasarena.search.errors import NasArenaError
from nasarena.search.run_folder import read_run

Add = Callable[..., Path]


def test_the_scale_by_hand() -> None:
    scale = Scale(best=3.0, random=1.0, noise=0.1)
    assert scale.normalize([3.0, 1.0, 2.0, 4.0, -1.0]).tolist() == [0, 1, 0.5, -0.5, 2]
    assert np.isnan(Scale(3.0, None, None).normalize([1.0])).all()  # no random search
    assert np.isnan(Scale(3.0, 3.0, None).normalize([1.0])).all()  # random search is perfect


def test_anchors_are_what_the_runs_reached(comparison: Path) -> None:
    tables = read_tables(comparison)
    anchors = compute_anchors(tables)
    scored = [*tables.trials["score"].dropna(), *tables.references["score"].dropna()]
    assert anchors.search.best == max(scored)
    random = tables.runs.query("searcher == 'random'")
    assert anchors.search.random == random["best_search"].median()
    assert anchors.final is not None and anchors.final.random == random["final"].median()


def table(folder: Path) -> pd.DataFrame:
    """table.csv before it is rounded, as every drawing of the folder makes it."""
    analysis = analyze(folder)
    assert analysis.anchors is not None
    freeze_anchors(analysis.anchors, folder / FILE_NAME)
    return standings_table(analysis).set_index("name")


def test_a_better_newcomer_moves_no_number_of_anybody(
    comparison: Path, tmp_path: Path, add_run: Add
) -> None:
    folder = tmp_path / "more"
    shutil.copytree(comparison, folder)
    before = table(folder)
    file = (folder / FILE_NAME).read_bytes()
    for seed in range(4):
        add_run(folder, "newcomer", seed, greed=1.0, amount=12)
    after = table(folder)
    assert "newcomer" in after.index and (folder / FILE_NAME).read_bytes() == file
    about_the_set = {"rank", "p_vs_random"}  # a place among others, a price for looking at more
    kept = [column for column in before.columns if column not in about_the_set]
    for name in ("climber", "halfway", "random"):
        assert list(map(repr, before.loc[name, kept])) == list(map(repr, after.loc[name, kept]))


def test_other_seeds_have_anchors_of_their_own(tmp_path: Path, add_comparison: Add) -> None:
    folder = add_comparison(tmp_path, seeds=2)
    file = tmp_path / FILE_NAME
    first = freeze(folder)
    add_comparison(tmp_path, seeds=3)
    second = freeze(folder)
    assert first.key != second.key
    content = json.loads(file.read_text())
    assert set(content["anchors"]) == {first.key, second.key} and content["version"] == VERSION


def freeze(folder: Path) -> Anchors:
    """The anchors of a comparison, written into its folder."""
    anchors = load_anchors(read_tables(folder), folder / FILE_NAME)
    assert anchors is not None
    freeze_anchors(anchors, folder / FILE_NAME)
    return anchors


def test_reading_may_not_write(comparison: Path, tmp_path: Path) -> None:
    assert load_anchors(read_tables(comparison), tmp_path / FILE_NAME)
    assert not (tmp_path / FILE_NAME).exists()


def test_what_is_frozen_is_never_written_again(tmp_path: Path, add_comparison: Add) -> None:
    folder = add_comparison(tmp_path, seeds=2)
    anchors = freeze(folder)
    before = (tmp_path / FILE_NAME).read_bytes()
    moved = replace(anchors, search=replace(anchors.search, best=99.0))
    freeze_anchors(moved, tmp_path / FILE_NAME)
    assert (tmp_path / FILE_NAME).read_bytes() == before
    assert load_anchors(read_tables(folder), tmp_path / FILE_NAME) == anchors


@pytest.mark.parametrize("text", ["no json", '{"version": 99, "anchors": {}}', "[]"])
def test_a_file_of_another_version_is_refused(comparison: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(NasArenaError, match="anchors"):
        load_anchors(read_tables(comparison), tmp_path / FILE_NAME)


def test_the_noise_floor_is_the_noise_of_the_proxy(tmp_path: Path, add_run: Add) -> None:
    patterns = {f"p{k}": f"{a}{b}MMMM" for k, (a, b) in enumerate(["AA", "AM", "SA", "MS", "SM"])}
    for seed in range(12):
        add_run(tmp_path, "references", seed, references=patterns)
        add_run(tmp_path, "random", seed)
    tables = read_tables(tmp_path)
    assert noise_floor(tables, is_final=False) == pytest.approx(0.05, rel=0.35)
    assert noise_floor(tables, is_final=True) == pytest.approx(0.05, rel=0.35)
    # A run's score averages two re-trainings.
    noise = noise_floor(tables, is_final=True) or 0
    assert standings(tables).rope == pytest.approx(noise / np.sqrt(2))


def test_the_noise_is_that_of_one_training_however_many_are_averaged(
    tmp_path: Path, add_run: Add
) -> None:
    patterns = {f"p{k}": f"{a}{b}MMMM" for k, (a, b) in enumerate(["AA", "AM", "SA", "MS", "SM"])}
    for seed in range(12):
        add_run(tmp_path, "references", seed, references=patterns, replicates=9)
        add_run(tmp_path, "random", seed, replicates=9)
    tables = read_tables(tmp_path)
    noise = noise_floor(tables, is_final=True) or 0
    assert noise == pytest.approx(0.05, rel=0.35)
    # A run's score averages nine re-trainings of each of two patterns.
    assert standings(tables).rope == pytest.approx(noise / np.sqrt(18))


@pytest.mark.parametrize("is_final", [True, False])
def test_two_degrees_of_freedom_say_nothing_about_noise_and_three_do(
    is_final: bool, tmp_path: Path, add_comparison: Add
) -> None:
    """Two reference patterns on n seeds leave n - 1 when pattern and seed are accounted for."""
    noises = {
        seeds: noise_floor(
            read_tables(add_comparison(tmp_path / str(seeds), seeds=seeds)), is_final
        )
        for seeds in (2, 3, 4)
    }
    assert noises[2] is None and noises[3] is None
    assert noises[4] is not None and 0.01 < noises[4] < 0.2


def test_without_references_the_noise_is_that_of_repeated_trainings(
    tmp_path: Path, add_run: Add
) -> None:
    """One pattern trained n times leaves n - 1 degrees of freedom about its own mean."""
    noises = {}
    for count in (3, 4):
        run = add_run(tmp_path / str(count), "random", 0, finalists=1, replicates=count)
        scores = [event["outcome"]["score"] for event in read_run(run).of_kind("final")]
        assert len(scores) == count
        noises[count] = noise_floor(read_tables(tmp_path / str(count)), is_final=True)
    assert noises == {3: None, 4: pytest.approx(np.std(scores, ddof=1))}


def test_without_references_the_noise_is_not_known(tmp_path: Path, add_run: Add) -> None:
    add_run(tmp_path, "random", 0)
    tables = read_tables(tmp_path)
    assert noise_floor(tables, is_final=False) is None
    assert standings(tables).rope == 0


def test_normalized_places_follow_their_scores(comparison: Path) -> None:
    tables = read_tables(comparison)
    anchors = compute_anchors(tables)
    scale = deciding_scale(tables, anchors)
    assert scale is anchors.final and scale is not None
    for place in standings(tables, scale).places:
        expected = scale.normalize(place.score.estimate)
        assert place.normalized.estimate == pytest.approx(float(expected))
        assert place.normalized.low <= place.normalized.estimate <= place.normalized.high


def test_targets_and_running_times_by_hand(comparison: Path) -> None:
    tables = read_tables(comparison)
    anchors = compute_anchors(tables)
    targets = target_scores(anchors.search)
    assert targets is not None and len(targets) == len(TARGETS) == 40
    # Normalized regret 1 is the median of random search's best.
    assert targets[TARGETS == 1.0][0] == pytest.approx(anchors.search.random)
    time = running_times(tables, anchors)["random"]
    assert time.num_successes == 2 and time.num_runs == 4  # half of its runs, by definition
    hits = hits_by_seed(tables, targets)["random"]
    assert hits.shape == (4, 40) and (hits[:, 1:] >= hits[:, :-1]).all()  # harder takes longer
    assert all(0 < area < 10 for areas_ in areas(tables, anchors).values() for area in areas_)


def test_without_random_search_nothing_is_normalized(tmp_path: Path, add_run: Add) -> None:
    for seed in (0, 1):
        add_run(tmp_path, "climber", seed, greed=0.9)
    tables = read_tables(tmp_path)
    anchors = compute_anchors(tables)
    assert anchors.search.random is None and target_scores(anchors.search) is None
    assert running_times(tables, anchors) == {} and areas(tables, anchors) == {}
    assert isinstance(anchors, Anchors) and anchors.search.best_in_words == "the best score known"
