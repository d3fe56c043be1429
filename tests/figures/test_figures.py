"""Figures and reports from real run folders: right numbers, labelled axes, the same bytes again."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from nasarena.experiments.commands.cli import main
from nasarena.experiments.execution import parallel_drawing as drawing
from nasarena.figures.check import check_figures
from nasarena.figures.comparison import write_all
from nasarena.figures.plots import anytime, budget, gallery, heatmap, ranking
from nasarena.figures.plots.figure_files import Source, save_figure
from nasarena.figures.plots.style import looks, spread
from nasarena.figures.report.conclusion import Conclusion
from nasarena.figures.report.fairness import fairness
from nasarena.figures.results.analysis import analyze
from nasarena.figures.results.rows import METERS
from nasarena.figures.results.tables import read_tables
from nasarena.figures.stats.intervals import iqm
from nasarena.search.errors import InvalidSetting, NasArenaError

Add = Callable[..., Path]
COMMAND = "nasarena figures runs/small"
FEW = ("ranking", "anytime")


@pytest.fixture(scope="module")
def folder_and_conclusion(
    comparison: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Conclusion]:
    folder = tmp_path_factory.mktemp("written") / "small"
    shutil.copytree(comparison, folder)
    return folder, write_all(folder, COMMAND)


def axis_labels(figure: Figure) -> list[str]:
    return [axes.get_xlabel() for axes in figure.axes] + [a.get_ylabel() for a in figure.axes]


def test_curves_are_the_iqm_of_step_curves(comparison: Path) -> None:
    tables = read_tables(comparison)
    curve = anytime.curves(tables, "flops")["climber"]
    own = tables.trials.query("searcher == 'climber'")
    assert np.isnan(curve.middle[40])  # seed 2 begins with three failed trials: no score yet
    for point in (60, 90, 159):
        best = [
            run.loc[run["flops"] <= curve.grid[point], "best_so_far"].iloc[-1]
            for _, run in own.groupby("seed")
        ]
        assert curve.middle[point] == pytest.approx(iqm(best))
        assert curve.low[point] <= curve.middle[point] <= curve.high[point]
    known = curve.middle[~np.isnan(curve.middle)]
    assert (np.diff(known) >= 0).all() and np.isnan(curve.middle[0])


def test_all_searchers_share_their_start(comparison: Path) -> None:
    found = anytime.curves(read_tables(comparison), "trials")
    starts = [curve.middle[3] for curve in found.values()]  # after 4 trials of initial design
    assert starts[0] == starts[1] == starts[2]
    assert found["climber"].grid.tolist() == list(range(1, 13))


@pytest.mark.parametrize("meter", METERS)
def test_anytime_axes_say_what_they_count(comparison: Path, meter: str) -> None:
    axes = anytime.draw_against(meter, analyze(comparison)).axes[0]
    assert axes.get_xlabel() == METERS[meter].label
    assert "higher is better" in axes.get_ylabel()
    written_names = {text.get_text() for text in axes.texts}
    assert {"climber", "halfway", "random"} <= written_names


def test_an_unknown_meter_is_refused(comparison: Path) -> None:
    with pytest.raises(InvalidSetting, match="meter must be one of trials, flops"):
        anytime.draw_against("hours", analyze(comparison))


def test_a_charged_language_model_moves_the_curve(comparison: Path) -> None:
    tables = read_tables(comparison)
    plain = anytime.curves(tables, "trials")["climber"]
    tables.trials["spent"] += 1  # a trial's worth of calls before the first trial
    shifted = anytime.curves(tables, "trials")["climber"]
    assert shifted.grid[-1] == 13
    assert np.array_equal(shifted.middle[1:], plain.middle, equal_nan=True)


def test_a_meter_that_counted_nothing_says_so(comparison: Path) -> None:
    analysis = analyze(comparison)
    assert anytime.was_counted("device_seconds", analysis)
    analysis.tables.trials["device_seconds"] = 0.0
    assert not anytime.was_counted("device_seconds", analysis)
    assert not anytime.was_counted("trials", analysis)  # the budget's own has its figure
    figure = anytime.draw_against("device_seconds", analysis)
    assert "Nothing was counted: device seconds" in figure.axes[0].texts[0].get_text()


def test_budget_shares_add_up(comparison: Path) -> None:
    shares = budget.composition(read_tables(comparison))
    assert shares.sum(axis=1).to_numpy() == pytest.approx(1.0)
    assert shares["initial design"].between(0.01, 4 / 12).all()
    failed = read_tables(comparison).runs.groupby("searcher")["num_failed"].mean() / 12
    assert shares["failed trials"].to_numpy() == pytest.approx(failed.to_numpy())


def test_letter_shares_by_hand(comparison: Path) -> None:
    shares = heatmap.letter_shares(["AMS", "AAS", "SMS", "AMM"], "AMS")
    assert shares.tolist() == [[0.75, 0.25, 0.0], [0.0, 0.75, 0.25], [0.25, 0.0, 0.75]]
    best = heatmap.best_patterns(read_tables(comparison), "climber")
    assert len(best) == 2 * 4  # top 2 of 4 seeds


@pytest.mark.parametrize("name", ["ranking", "budget", "heatmap"])
def test_every_axis_is_labelled(comparison: Path, name: str) -> None:
    draw = {"ranking": ranking.draw, "budget": budget.draw, "heatmap": heatmap.draw}[name]
    figure = draw(analyze(comparison))
    labels = " ".join(axis_labels(figure))
    expected = {
        "ranking": ["final score", "higher is better", "searcher"],
        "budget": ["share of the budget\n(12 trials)", "number per run", "seconds per run"],
        "heatmap": ["position", "layer kind", "share of the best patterns"],
    }[name]
    assert all(label in labels for label in expected)


def test_labels_keep_their_distance_and_order() -> None:
    assert spread([0.5, 0.5, 0.5], 0.1, 0, 1).tolist() == pytest.approx([0.4, 0.5, 0.6])
    assert spread([0.9, 0.1], 0.1, 0, 1).tolist() == pytest.approx([0.9, 0.1])
    assert spread([0.99, 1.0, 0.98], 0.1, 0, 1).tolist() == pytest.approx([0.9, 1.0, 0.8])
    crowded = np.sort(spread([0.5] * 21, 0.1, 0, 1))
    assert crowded[0] == pytest.approx(0) and np.diff(crowded) == pytest.approx(0.05)
    assert spread([0.3], 0.1, 0, 1).tolist() == [0.3] and spread([], 0.1, 0, 1).size == 0


@pytest.mark.parametrize("pair", [("color", "dash"), ("color", "marker"), ("dash", "marker")])
def test_any_two_parts_of_a_look_tell_49_searchers_apart(pair: tuple[str, str]) -> None:
    found = looks([f"searcher {number}" for number in range(48)] + ["random"]).values()
    assert len({tuple(getattr(look, part) for part in pair) for look in found}) == 49


def test_fairness_is_read_off_the_runs(comparison: Path, tmp_path: Path) -> None:
    points = {point.claim: point for point in fairness(analyze(comparison))}
    assert all(point.answer == "yes" for point in points.values()), points
    shared = points["Same score for the same pattern and seed, whoever asks"]
    assert re.fullmatch(r"\d+ trainings shared by searchers, 0 differ", shared.detail)

    folder = tmp_path / "tampered"
    shutil.copytree(comparison, folder)
    events = folder / "climber" / "seed-0" / "events.jsonl"
    first = re.search(r'"score":([0-9.]+)', events.read_text())
    assert first is not None
    events.write_text(events.read_text().replace(first[1], "0.123456", 1))
    points = {point.claim: point for point in fairness(analyze(folder))}
    assert points[shared.claim].answer == "no"


def test_a_run_that_stops_early_is_noticed(tmp_path: Path, add_run: Add) -> None:
    add_run(tmp_path, "random", 0)
    # 5 listed patterns on a budget of 12 trials: the searcher stops asking.
    add_run(tmp_path, "short", 0, patterns=["AMSAMS", "AAAAAA", "MMMMMM", "AMAMAM", "MAMAMA"])
    points = {point.claim: point for point in fairness(analyze(tmp_path))}
    spent = points["Budgets spent to within one trial"]
    assert spent.answer == "no" and "1 run stopped early: short" in spent.detail


def test_files_say_where_they_come_from(folder_and_conclusion: tuple[Path, Conclusion]) -> None:
    folder, conclusion = folder_and_conclusion
    names = {path.name for path in (folder / "figures").iterdir()}
    stems = (
        "anytime anytime-measured_seconds behaviour budget cost heatmap improvement letters "
        "profiles ranking ranks regret runtime"
    ).split()
    assert names == {f"{stem}.{kind}" for stem in stems for kind in ("png", "svg", "pdf")}
    data = f"data {conclusion.analysis.tables.data_hash}"
    for path in (folder / "figures").glob("*.png"):
        with Image.open(path) as image:
            assert (image.info["Source"], image.info["Identifier"]) == (COMMAND, data)
    for path in (folder / "figures").glob("*.svg"):
        text = path.read_text()
        assert COMMAND in text and data in text and "<dc:date>" not in text
    for path in (folder / "figures").glob("*.pdf"):
        content = path.read_bytes()
        assert COMMAND.encode() in content and data.encode() in content
        assert b"CreationDate" not in content


def test_writing_again_gives_the_same_bytes(
    folder_and_conclusion: tuple[Path, Conclusion], tmp_path: Path
) -> None:
    folder = tmp_path / "small"
    shutil.copytree(folder_and_conclusion[0], folder)
    files = [path for path in folder.rglob("*") if path.suffix in (".png", ".svg", ".pdf", ".csv")]
    before = {path: path.read_bytes() for path in [*files, folder / "anchors.json"]}
    write_all(folder, COMMAND, only=FEW)
    changed = [path.name for path, content in before.items() if path.read_bytes() != content]
    assert changed == [] and len(before) == 13 * 3 + 2


def test_figures_are_checked_against_their_runs(
    folder_and_conclusion: tuple[Path, Conclusion],
    tmp_path: Path,
    add_run: Add,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    four = [each for each in gallery.FIGURES if each.name in (*FEW, "ranks", "cost")]
    monkeypatch.setattr(gallery, "FIGURES", four)  # all others would be drawn as well
    folder = tmp_path / "small"
    shutil.copytree(folder_and_conclusion[0], folder)
    for file in (folder / "figures").iterdir():
        if file.stem not in {each.name for each in four}:
            file.unlink()
    (folder / "figures" / "ranks.svg").write_text("<svg/>")
    (folder / "figures" / "cost.pdf").unlink()
    (folder / "figures" / "old.png").write_bytes((folder / "figures" / "cost.png").read_bytes())
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert main(["figures", "--check", str(folder)]) == 1
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    said = capsys.readouterr().out
    assert "ranks.svg: differs" in said and "cost.pdf: missing" in said
    assert "old.png: nothing draws it" in said and "10 of 13 files" in said
    add_run(folder, "climber", 9, greed=0.9)
    assert all("drawn from other runs" in each.fault for each in check_figures(folder))
    shutil.rmtree(folder / "figures")
    with pytest.raises(NasArenaError, match="has no figures to check"):
        check_figures(folder)


def test_workers_draw_the_same_bytes(
    folder_and_conclusion: tuple[Path, Conclusion], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "small"
    shutil.copytree(folder_and_conclusion[0], folder, ignore=shutil.ignore_patterns("figures"))
    monkeypatch.setattr(drawing, "_MANY_RUNS", 1)
    monkeypatch.setattr(drawing, "num_cores", lambda: 2)
    again = write_all(folder, COMMAND, only=FEW, drawer=drawing.draw_by_all_cores)
    assert [drawn.png.stem for drawn in again.drawings] == list(FEW)
    files = sorted((folder / "figures").iterdir())
    assert len(files) == 3 * len(FEW)
    for file in files:
        assert file.read_bytes() == (folder_and_conclusion[0] / "figures" / file.name).read_bytes()


def test_the_table_reads_back(folder_and_conclusion: tuple[Path, Conclusion]) -> None:
    folder, conclusion = folder_and_conclusion
    table = pd.read_csv(folder / "table.csv")
    assert table["kind"].value_counts().to_dict() == {"searcher": 3, "reference": 2}
    ranked = table[table["kind"] == "searcher"].set_index("name")
    place = conclusion.analysis.standings.places[0]
    assert ranked.loc[place.searcher, "score"] == pytest.approx(place.score.estimate, rel=1e-5)
    assert (
        (ranked["score_low"] <= ranked["score"]) & (ranked["score"] <= ranked["score_high"])
    ).all()
    assert np.isnan(ranked.loc["random", "vs_random"])


def test_fourteen_long_names_fit(tmp_path: Path, add_comparison: Add) -> None:
    names = {f"agent_with_hypotheses_and_notebook_{n:02d}": n / 14 for n in range(13)}
    figure = anytime.draw(analyze(add_comparison(tmp_path, names | {"random": 0.0}, seeds=2)))
    figure.draw_without_rendering()
    # The extent of the words alone: an annotation's own would include its connector.
    boxes = [Text.get_window_extent(text) for text in figure.axes[0].texts if text.get_text()]
    bounds = figure.bbox
    assert len(boxes) >= 14
    assert all(bounds.x0 <= box.x0 and box.x1 <= bounds.x1 for box in boxes)
    by_height = sorted(boxes, key=lambda box: box.y0)
    gaps = [upper.y0 - lower.y1 for lower, upper in zip(by_height, by_height[1:], strict=False)]
    assert min(gaps) > -1.0  # pixels
    save_figure(figure, tmp_path / "anytime", "title", Source("command", "hash"))


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, add_run: Add) -> None:
    add_run(tmp_path, "random", 0)
    (tmp_path / "figures").write_text("in the way")
    with pytest.raises(NasArenaError, match="cannot write into"):
        write_all(tmp_path, COMMAND, only=FEW)
