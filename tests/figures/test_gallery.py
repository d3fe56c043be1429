"""The figures beyond the ranking: numbers by hand, what they say when there is little to show."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from nasarena.figures.plots import (
    behaviour,
    cost,
    critical,
    gallery,
    improvement,
    profiles,
    ranks,
    regret,
)
from nasarena.figures.plots.runtime import ecdf_curves
from nasarena.figures.results.analysis import analyze
from nasarena.figures.results.anchors import Scale, compute_anchors
from nasarena.figures.results.standings import Standings
from nasarena.figures.results.tables import read_tables

Add = Callable[..., Path]


def all_text(figure: Figure) -> str:
    from matplotlib.text import Text

    return " ".join(text.get_text() for text in figure.findobj(Text))


def test_regret_is_the_anytime_curve_turned_round(comparison: Path) -> None:
    tables = read_tables(comparison)
    best = compute_anchors(tables).search.best
    found = regret.regret_curves(tables, best, "trials")["climber"]
    own = tables.trials.query("searcher == 'climber'")
    last = own.groupby("seed")["best_so_far"].last().to_numpy()
    assert found.middle[-1] == pytest.approx(best - np.sort(last)[1:3].mean())
    assert (found.low[6:] <= found.middle[6:]).all() and (found.middle[6:] <= found.high[6:]).all()
    text = all_text(regret.draw(analyze(comparison)))
    assert "noise floor" in text and "lower is better" in text and "frozen" in text


def test_ranks_add_up(comparison: Path) -> None:
    found = ranks.rank_curves(read_tables(comparison), "trials")
    total = sum(curve.middle for curve in found.values())
    assert isinstance(total, np.ndarray)
    known = ~np.isnan(total)
    assert known.any() and total[known] == pytest.approx(1 + 2 + 3)
    start = [curve.middle[known][0] for curve in found.values()]
    assert start == [2.0, 2.0, 2.0]  # one initial design: all level


def test_runtime_curves_rise_to_the_share_that_was_reached(comparison: Path) -> None:
    tables = read_tables(comparison)
    low, high = tables.trials["score"].min(), tables.trials["score"].max()
    found = ecdf_curves(tables, np.array([low, high, high + 1]))
    winner = tables.trials.loc[tables.trials["score"].idxmax(), "searcher"]
    # 4 seeds x 3 targets: the first is reached by all, the second once, the third never.
    assert found[str(winner)].middle[-1] == pytest.approx(5 / 12)
    assert all((np.diff(curve.middle) >= 0).all() for curve in found.values())


def test_profiles_count_the_runs() -> None:
    scores = {"a": [1.0, 2.0, 3.0, 4.0], "b": [4.0, 4.0, 4.0, 4.0]}
    standing = Standings([], [], True, 4, scores)
    found = profiles.profiles(standing, Scale(best=4.0, random=2.0, noise=None))
    assert found["b"].middle.tolist() == [1.0] * 240
    grid, middle = found["a"].grid, found["a"].middle
    assert (grid[0], middle[0], grid[-1], middle[-1]) == (0.0, 0.25, 1.5, 1.0)
    assert middle[np.searchsorted(grid, 0.9)] == 0.5  # regrets 0 and 0.5


def test_distance_to_the_best_before() -> None:
    patterns = ["AAAA", "AAAM", "MMMM", "AAMM", "AASS"]
    held = ["AAAA", "AAAM", "AAAM", "AAAM", "AAAM"]
    found = behaviour.distances_to_incumbent(patterns, held)
    assert np.isnan(found[0]) and found[1:].tolist() == [1, 3, 1, 2]
    late = behaviour.distances_to_incumbent(patterns[:3], [np.nan, "AAAM", "AAAM"])
    assert np.isnan(late[:2]).all() and late[2] == 3


def test_coverage_by_hand() -> None:
    assert behaviour.coverage(["AM", "MM", "AM"], "AM") == 0.5  # one bit, and none
    assert behaviour.coverage(["AM"], "AM") == 0 and np.isnan(behaviour.coverage([""], "AM"))
    space = [a + b for a in "AMS" for b in "AMS"]
    assert behaviour.coverage(space, "AMS") == pytest.approx(np.log2(3))


def test_a_sampler_looks_like_one_and_a_climber_does_not(comparison: Path) -> None:
    table = behaviour.behaviour(read_tables(comparison))
    means = table["distance"].groupby("searcher").mean()
    assert means["climber"] < means["halfway"] < means["random"]
    assert table["coverage"].between(0, np.log2(3)).all()


def test_costs_are_training_and_thinking(comparison: Path) -> None:
    tables = read_tables(comparison)
    run = tables.runs.query("searcher == 'random'")
    costs = cost.total_costs(tables)
    expected = (run["searcher_seconds"] + run["training_seconds"]).mean()
    assert costs.loc["random", "seconds"] == pytest.approx(expected)
    assert costs["tokens"].sum() == 0


def test_critical_differences_need_ten_blocks(tmp_path: Path, add_comparison: Add) -> None:
    analysis = analyze(add_comparison(tmp_path, seeds=10))
    assert critical.is_shown(analysis)
    text = all_text(critical.draw(analysis))
    assert "10 seeds of one proxy, not tasks" in text and "critical difference 1.05" in text
    assert "critical" in [figure.name for figure in gallery.gallery(analysis)]


def test_few_blocks_show_no_critical_difference(comparison: Path) -> None:
    assert not critical.is_shown(analyze(comparison))


def test_the_matrix_names_everyone_and_frames_nothing_without_proof(comparison: Path) -> None:
    figure = improvement.draw(analyze(comparison))
    assert {"climber", "halfway", "random"} <= set(all_text(figure).split())
    assert len(figure.axes[0].patches) == 0  # 4 seeds prove nothing


def draw_all(folder: Path) -> dict[str, str]:
    analysis = analyze(folder)
    return {figure.name: all_text(figure.draw(analysis)) for figure in gallery.gallery(analysis)}


def test_every_figure_says_why_it_is_empty(tmp_path: Path, add_run: Add) -> None:
    add_run(tmp_path, "random", 0, fails=True)
    for name, text in draw_all(tmp_path).items():
        assert "No finished run" in text or "no two searchers" in text, name


def test_one_searcher_and_one_seed_draw_and_say_so(tmp_path: Path, add_run: Add) -> None:
    add_run(tmp_path, "climber", 0, greed=0.9)
    texts = draw_all(tmp_path)
    assert "One searcher has no rank" in texts["ranks"]
    assert "There are no two searchers" in texts["improvement"]
    assert "did not take part" in texts["runtime"] and "One seed" in texts["regret"]
