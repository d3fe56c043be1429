"""What figures name, mark and leave out: units, optimum, ends, references, signs."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from nasarena.figures import side_by_side
from nasarena.figures.plots import anytime, cost, gallery, heatmap, ranking, regret
from nasarena.figures.plots.figure_files import Source, save_figure
from nasarena.figures.plots.panels import CurveFigure, draw_curves
from nasarena.figures.results.analysis import Analysis, analyze
from nasarena.figures.results.benchmark import Benchmark
from nasarena.figures.results.exact import judge_incumbents
from nasarena.figures.results.rows import METERS
from nasarena.figures.results.tables import Tables, read_tables
from nasarena.figures.side_by_side import panel_of
from nasarena.figures.stats.curves import Curve
from nasarena.search.errors import NasArenaError


def with_tables(folder: Path, **changes: object) -> Analysis:
    analysis = analyze(folder)
    tables: Tables = replace(analysis.tables, **changes)  # type: ignore[arg-type]
    return Analysis(tables, analysis.anchors, analysis.runs)


def all_text(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.findobj(Text))


def benchmark(tables: Tables, best: float) -> Benchmark:
    """One that knows every pattern: its mean search score is its true one."""
    scores = tables.trials.groupby("pattern")["score"].mean().dropna().to_dict()
    return Benchmark("letters", 729, "AMSAMS", best, scores, {}, None, None, "")


def test_amounts_are_written_one_way() -> None:
    assert METERS["flops"].amount(893_921_495_040) == "893.9 GFLOPs"
    assert METERS["trials"].amount(72) == "72 trials"
    assert METERS["tokens"].amount(9_999) == "9999 tokens"
    assert METERS["device_seconds"].amount(0.5) == "0.5 device seconds"


def test_figures_name_proxy_budget_score_and_unit(comparison: Path) -> None:
    analysis = with_tables(comparison, score_unit="nats")
    for spec in gallery.gallery(analysis):
        words = all_text(spec.draw(analysis))
        assert "letters, 6 letters of AMS, 12 trials a run" in words, spec.name
    for draw in (anytime.draw, ranking.draw, regret.draw):
        figure = draw(analysis)
        assert "search score" in figure.get_suptitle() or "final score" in figure.get_suptitle()
        labels = [axes.get_xlabel() + axes.get_ylabel() for axes in figure.axes]
        assert any("(nats)" in label for label in labels)


def test_a_true_optimum_is_drawn_where_scores_end_below_it(comparison: Path) -> None:
    tables = read_tables(comparison)
    best = float(tables.trials["score"].max()) + 1.0
    analysis = with_tables(comparison, benchmark=benchmark(tables, best))
    axes = anytime.draw(analysis).axes[0]
    drawn = [line for line in axes.lines if list(np.asarray(line.get_ydata())) == [best, best]]
    assert len(drawn) == 1 and axes.get_ylim()[1] > best
    assert "true optimum" in {text.get_text() for text in axes.texts}
    plain = anytime.draw(analyze(comparison))
    assert "true optimum" not in all_text(plain) and plain.axes[0].get_ylim()[1] < best


def test_an_exact_regret_has_no_limit_below_zero(comparison: Path) -> None:
    tables = read_tables(comparison)
    known = benchmark(tables, float(tables.trials["score"].max()))
    found = judge_incumbents(tables, known)
    limits = [found.standing(name).regret for name in tables.searchers]
    assert all(0 <= each.low <= each.estimate <= each.high for each in limits)
    assert any(each.low == 0 for each in limits)


def test_curves_against_seconds_end_where_the_runs_do(comparison: Path) -> None:
    tables = read_tables(comparison)
    meter = "measured_seconds"
    slow = tables.trials["searcher"] == "random"
    tables.trials.loc[slow, meter] *= 1000.0
    found = anytime.curves(tables, meter)
    for name in tables.searchers:
        end = float(tables.trials.loc[tables.trials["searcher"] == name, meter].max())
        last = found[name].last
        assert last is not None
        step = found[name].grid[1] / found[name].grid[0]
        assert end / step < found[name].grid[last] <= end * (1 + 1e-6)
    axes = anytime.draw_against(meter, analyze(comparison)).axes[0]
    assert axes.get_xscale() == "log"


def test_an_end_before_the_axis_is_marked_and_labelled() -> None:
    grid = np.arange(1.0, 11)
    short = np.where(grid <= 4, grid, np.nan)
    found = {"short": Curve(grid, short, short, short), "long": Curve(grid, grid, grid, grid)}
    axes = draw_curves(found, CurveFigure("title", "", "x", "y", "y")).axes[0]
    ends = [line for line in axes.lines if line.get_marker() == "|"]
    assert [list(np.asarray(end.get_xdata())) for end in ends] == [[4.0]]
    assert {"short", "long"} <= {text.get_text() for text in axes.texts}


def test_far_references_do_not_stretch_the_axis(comparison: Path) -> None:
    near = ranking.draw(analyze(comparison)).axes[0].get_xlim()
    analysis = analyze(comparison)
    analysis.tables.references["final"] -= 1000
    axes = ranking.draw(analysis).axes[0]
    assert axes.get_xlim() == near
    assert [line.get_marker() for line in axes.lines].count("<") == 2  # both, at the edge
    assert any(text.get_text().startswith("-99") for text in axes.texts)


def test_a_synthetic_landscape_has_no_models_and_no_held_out_data(comparison: Path) -> None:
    analysis = with_tables(comparison, score_unit="value")
    for spec in gallery.gallery(analysis):
        words = all_text(spec.draw(analysis))
        assert "striped" not in words and "held-out" not in words and "Mamba" not in words
    assert "striped" in all_text(ranking.draw(analyze(comparison)))


def test_every_mark_of_the_costs_is_inside(comparison: Path) -> None:
    analysis = analyze(comparison)
    runs = analysis.tables.runs
    runs["llm_tokens"] = np.where(runs["searcher"] == "climber", 50_000, 0)
    runs["searcher_seconds"] *= np.where(runs["searcher"] == "climber", 1e4, 1.0)
    figure = cost.draw(analysis)
    for axes, num_marks in zip(figure.axes, (3, 1), strict=True):
        marks = [line for line in axes.lines if line.get_marker() not in ("None", "")]
        low, high = axes.get_xlim()
        places = [float(np.asarray(mark.get_xdata()).item()) for mark in marks]
        assert len(places) == num_marks and all(low < place < high for place in places)


def test_only_clear_shares_are_marked(comparison: Path) -> None:
    axes = Figure().subplots()
    shares = np.array([[0.9, 0.34, 0.0], [0.1, 0.33, 0.5], [0.0, 0.33, 0.5]])
    heatmap._mark_unlikely(axes, shares, 20)  # three standard errors: 0.65
    assert [list(map(float, line)) for line in axes.lines[0].get_data()] == [[0.5], [0.5]]


def test_there_is_one_minus_sign(comparison: Path, tmp_path: Path) -> None:
    analysis = analyze(comparison)
    analysis.tables.trials["best_so_far"] -= 5
    figure = anytime.draw(analysis)
    save_figure(figure, tmp_path / "anytime", "title", Source("command", "hash"))
    written = (tmp_path / "anytime.svg").read_text()  # holds every text as a comment
    assert re.search(r"<!-- -4\.\d", written) and "\u2212" not in written


@pytest.mark.parametrize(
    ("metrics", "unit"), [({"loss": -2.5}, "nats"), ({"value": 2.5}, "value"), ({}, "")]
)
def test_the_unit_is_read_off_the_metrics(
    comparison: Path, tmp_path: Path, metrics: dict[str, float], unit: str
) -> None:
    folder = tmp_path / "runs"
    shutil.copytree(comparison / "climber", folder / "climber")
    for file in folder.rglob("events.jsonl"):
        events = [json.loads(line) for line in file.read_text().splitlines()]
        for event in events:
            if event["event"] == "settled" and event["trial"]["status"] == "ok":
                event["trial"] |= {"score": 2.5, "metrics": metrics}
        file.write_text("".join(json.dumps(event) + "\n" for event in events))
    assert read_tables(folder).score_unit == unit


def test_comparisons_stand_side_by_side(
    comparison: Path, tmp_path: Path, add_comparison: Callable[..., Path]
) -> None:
    clear = add_comparison(tmp_path, {"random": 0.0, "climber": 0.95}, seeds=8, amount=60)
    figure = side_by_side.draw([panel_of(clear), panel_of(comparison)])
    assert [axes.get_title(loc="left").strip() for axes in figure.axes] == [
        "1 of 1 beat it",
        "None of 2 is distinguishable from it",
    ]
    left, right = ([line for line in axes.lines if line.get_marker() != "None"]
                   for axes in figure.axes)  # fmt: skip
    assert [line.get_markerfacecolor() == line.get_color() for line in left] == [True]
    assert [line.get_markerfacecolor() for line in right] == ["white", "white"]
    p = analyze(clear).standings.to_baseline("climber").p_holm
    assert f"p = {p:.1g}" in all_text(figure) and all_text(figure).count("p = ") == 1
    shutil.rmtree(tmp_path / "random")
    with pytest.raises(NasArenaError, match="nobody to compare with random search"):
        side_by_side.draw([panel_of(tmp_path)])
