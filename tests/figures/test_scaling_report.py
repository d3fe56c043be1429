"""Figures and words on losses at scale: right numbers, and what is not shown is said."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from nasarena.figures import scaling_report
from nasarena.figures.plots.figure_files import Source, paths_of
from nasarena.figures.results.ladder import LOWEST, climb, read_scores
from nasarena.figures.results.scaling import ScalingTable, make_scaling, read_scaling
from nasarena.figures.results.scaling_study import ScalingOptions, ScalingStudy, study
from nasarena.figures.scaling import (
    frontier_figure,
    isoflop_figure,
    isotoken_figure,
    transfer_figure,
)
from nasarena.figures.scaling.blocks import Rows, to_markdown
from nasarena.figures.scaling.laws_table import laws_table
from nasarena.figures.scaling.matched import matched_section
from nasarena.figures.scaling.words import headline, sections
from nasarena.figures.stats.transfer import right_pairs
from nasarena.search.errors import InvalidSetting, NasArenaError
from nasarena.search.seeding import stream

SIZES = np.geomspace(1e6, 8e6, 4)
BUDGETS = np.geomspace(1e14, 1e16, 3)
OPTIONS = ScalingOptions(num_repeats=40)


def planted(noise: float = 0.004) -> pd.DataFrame:
    """Two architectures, of which `steep` has the larger exponents, at 4 sizes and 3 budgets."""
    rng = stream(0, "planted")
    rows = [
        {"label": label, "params_counted": n, "tokens": c / 6 / n, "flops": c, "seed": seed,
         "loss": 1.7 + 0.6 * (n / 3e6) ** -e + 0.6 * (c / 6 / n / 5e7) ** -e
         + noise * rng.normal()}
        for label, e in (("flat", 0.25), ("steep", 0.45))
        for n in SIZES for c in BUDGETS for seed in (0, 1)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def ladder_rows(num_seeds: int = 2) -> pd.DataFrame:
    """Ten architectures on two rungs; the second turns the order of the first two round."""
    rows = [
        {"label": f"p{k}", "size": size, "params_counted": n, "tokens": 10 * n, "seed": seed,
         "loss": base + 0.1 * (k if size == "small" or k > 1 else 1 - k) + 0.001 * seed}
        for size, n, base in (("small", 1e5, 3.0), ("large", 1e6, 2.0))
        for k in range(10) for seed in range(num_seeds)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def found() -> ScalingStudy:
    return study(make_scaling(planted(), "planted"), OPTIONS)


@pytest.fixture(scope="module")
def rungs() -> ScalingTable:
    return make_scaling(ladder_rows(), "ladder")


def test_the_steeper_law_is_told_from_the_flat_one(found: ScalingStudy) -> None:
    assert found.laws is not None
    difference = found.laws.difference("slope", 0, 1)
    assert difference.estimate == pytest.approx(0.125 - 0.225, abs=0.005)
    assert -0.12 < difference.low < difference.estimate < difference.high < -0.08
    assert headline(found).startswith("The interval of the difference of slopes excludes 0")


def test_a_law_that_misses_the_losses_is_doubted_in_the_first_line(found: ScalingStudy) -> None:
    rows = planted(0.001)
    rows.loc[rows["params_counted"] == rows["params_counted"].min(), "loss"] += 0.1
    bent = study(make_scaling(rows, "bent"), OPTIONS)
    assert headline(bent).endswith("intervals are too narrow.")
    assert "too narrow" not in headline(found)


def test_the_table_of_laws_holds_laws_differences_and_parabolas(found: ScalingStudy) -> None:
    table = laws_table(found).set_index(["fit", "label", "less", "quantity"])
    assert len(table) == 2 * 7 + 4 + 2 * 2
    row = table.loc[("law", "flat", "steep", "a")]
    own = [table.loc[("law", name, "", "a"), "estimate"] for name in ("flat", "steep")]
    assert row["estimate"] == pytest.approx(own[0] - own[1])
    assert row["low"] < row["estimate"] < row["high"] < 0


def test_isoflop_has_a_panel_for_each_architecture_and_every_optimum(found: ScalingStudy) -> None:
    figure = isoflop_figure.draw(found)
    assert [axes.get_title("left") for axes in figure.axes] == ["flat", "steep"]
    diamonds = [line for line in figure.axes[0].lines if line.get_marker() == "D"]
    inside = [each for each in found.parabolas["flat"].parabolas if each.is_inside]
    assert [line.get_xdata()[0] for line in diamonds] == [each.optimum for each in inside]
    assert "matrices and head" in isoflop_figure.ground(found)


def test_the_frontier_is_compared_with_the_reference() -> None:
    figure = frontier_figure.draw(study(make_scaling(planted(), "x"), OPTIONS, "steep"))
    above, below, right = figure.axes
    assert below.get_ylabel() == "less that of\nsteep"
    curves = {line.get_color(): line.get_ydata() for line in above.lines}
    (flat, steep), difference = curves.values(), below.lines[0].get_ydata()
    assert difference == pytest.approx(flat - steep, abs=1e-9)
    assert [label.get_text() for label in right.get_yticklabels()] == ["flat", "steep"]


def test_the_best_of_a_rung_are_ten_or_all_where_there_are_fewer() -> None:
    rows = ladder_rows()
    more = rows.assign(label=rows["label"] + "b", loss=rows["loss"] + 0.5)
    for frame, whole in ((rows, 10), (pd.concat([rows, more]), 20)):
        (found,) = climb(make_scaling(frame, "x"), num_repeats=20).found[LOWEST].values()
        assert (found.whole.num_patterns, found.best.num_patterns) == (whole, 10)


def test_equal_tokens_puts_the_best_on_top_and_says_what_seeds_can_show(
    rungs: ScalingTable,
) -> None:
    result = study(rungs, OPTIONS)
    figure = isotoken_figure.draw(result)
    names = [[label.get_text() for label in axes.get_yticklabels()] for axes in figure.axes]
    assert names[0][:3] == ["p0", "p1", "p2"] and names[1][:3] == ["p1", "p0", "p2"]
    text = "\n".join(to_markdown(sections(result, climb(rungs, num_repeats=20))))
    assert "2 paired seeds cannot reach p below 0.05" in text
    assert "No law was fitted" in headline(result)
    words = headline(result, climb(rungs, num_repeats=20))
    assert words.startswith("lowest rung ranks the 10 architectures of the largest rung, ")
    assert "a law of p0 needs at least 6 cells" in text
    assert text.count("a law of") == 1 and "and neither has any other architecture" in text


def test_seven_seeds_tell_two_architectures_apart_against_the_reference() -> None:
    rows = ladder_rows(7)
    rows["loss"] += 1e-4 * stream(0, "noise").normal(size=len(rows))
    (group, _) = study(make_scaling(rows, "x"), OPTIONS, "p9").equal_tokens
    assert len(group.comparisons) == 9 and {pair.second for pair in group.comparisons} == {"p9"}
    pair = group.comparisons[0]
    assert pair.p == 2**-6 and pair.difference.estimate == pytest.approx(0.9, abs=1e-3)


def test_the_lowest_rung_is_held_against_the_next(rungs: ScalingTable, tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    lines = [f"p{k},reverse,{k}" for k in range(10)] + ["other,reverse,0"]
    file.write_text("\n".join(["label,scorer,score", *lines]))
    ladder = climb(rungs, read_scores(file, rungs.labels), num_repeats=50)
    assert [rung.name for rung in ladder.rungs] == ["small", "large"]
    agreement = ladder.found[LOWEST]["large"]
    small, large = (list(rung.losses.values()) for rung in ladder.rungs)
    assert agreement.whole.spearman.estimate == pytest.approx(spearmanr(small, large).statistic)
    assert agreement.right.estimate == pytest.approx(44 / 45)
    assert ladder.found["reverse"]["small"].whole.kendall.estimate == pytest.approx(-1)
    assert ladder.rungs[0].between_seeds == pytest.approx(1)
    figure = transfer_figure.draw(ladder)
    drawn = [line.get_ydata()[0] for line in figure.axes[3].lines if line.get_marker() != "None"]
    assert drawn == pytest.approx([0.0, 44 / 45])


def test_pairs_decided_rightly_by_hand() -> None:
    """Of three pairs one is right, one a tie of the scorer, one wrong: (1 + 1/2) / 3."""
    pair = np.array([1.0, 1.0, 0.0]), np.array([1.0, 2.0, 1.5])
    assert right_pairs(pair, stream(0, "x"), num_repeats=9).estimate == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("label,score\np0,1\n", "must have a column 'scorer'"),
        ("label,scorer,score\np0,x,good\n", "row 1: score must be a number, got 'good'"),
        ("label,scorer,score\nq,x,1\n", "must score labels of the losses, such as 'p0'"),
    ],
)
def test_wrong_scores_are_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "scores.csv"
    file.write_text(text)
    with pytest.raises(NasArenaError, match=words):
        read_scores(file, ["p0"])


def test_a_reference_whose_trainings_all_failed_is_let_go() -> None:
    rows = ladder_rows()
    rows["status"] = np.where(rows["label"] == "p3", "failed", "ok")
    result = study(make_scaling(rows, "x"), OPTIONS, "p3")
    assert result.reference is None and len(result.equal_tokens[0].comparisons) == 9 * 8 // 2
    assert "the reference p3 has no loss: all are compared with all" in result.not_shown


def test_an_unknown_reference_is_refused(rungs: ScalingTable) -> None:
    with pytest.raises(InvalidSetting, match="reference must be one of p0, .* got 'llama'"):
        study(rungs, OPTIONS, "llama")


HEADER = {
    "settings": {"patterns": ["flat <b>"], "train": {"clip": None, "decay_share": 0.2}},
    "sizes": [{"name": repr(float(n)), "train": {"learning_rate": 0.01, "batch_size": 8}}
              for n in SIZES],
    "sweep": [{"size": "1000000", "learning_rate": 0.01, "loss": 2.5, "chosen": True},
              {"size": "1000000", "learning_rate": 0.02, "loss": None, "chosen": False}],
    "provenance": [{"command": "nasarena scale name=x", "commit": "0123", "packages": {"t": "2"}}],
}  # fmt: skip


@pytest.fixture
def small_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three formats in full size are tested elsewhere."""

    def save_small(figure: Figure, stem: Path, title: str, source: Source) -> list[Path]:
        files = paths_of(stem)
        for file in files:
            figure.savefig(file, dpi=20)
        return files

    monkeypatch.setattr(scaling_report, "save_figure", save_small)


@pytest.mark.usefixtures("small_figures")
def test_the_command_writes_everything_and_refuses_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = tmp_path / "scale.csv", tmp_path / "out"
    planted().to_csv(table, index=False)
    (tmp_path / "scale.json").write_text(json.dumps(HEADER))
    assert scaling_report.main([str(tmp_path), str(out), "--repeats", "8"]) == 0
    written = {file.name for file in out.rglob("*.*")}
    names = ("isoflop", "frontier", "isotoken", "transfer")
    figures = {f"{name}.{kind}" for name in names for kind in ("png", "svg", "pdf")}
    assert written == {"scaling.md", "laws.csv", "report.html", *figures}
    digest = read_scaling(table).data_hash
    assert f"Data: {digest}" in (out / "scaling.md").read_text()
    page = (out / "report.html").read_text()
    assert digest in page and "nasarena scale name=x" in page and "flat &lt;b&gt;" in page
    assert "<script" not in page and "http:" not in page.replace("http-equiv", "")
    capsys.readouterr()
    for wrong, words in (("{", "must say how"), ('{"settings": 1}', "must say how")):
        (tmp_path / "scale.json").write_text(wrong)
        assert scaling_report.main([str(tmp_path), str(out)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert words in line
    assert scaling_report.main([str(tmp_path / "none.csv"), str(out)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.usefixtures("small_figures")
def test_the_page_fits_a_desktop_and_a_telephone(browser: Any, tmp_path: Path) -> None:
    """Its numbers stand in it, figures show, and nothing asks for a network."""
    third = planted().query("label == 'flat'").assign(label="third <i>")
    pd.concat([planted(), third]).to_csv(tmp_path / "scale.csv", index=False)
    (tmp_path / "scale.json").write_text(json.dumps(HEADER))
    assert scaling_report.main([str(tmp_path), str(tmp_path), "--repeats", "8"]) == 0
    context = browser.new_context(offline=True)
    page, complaints = context.new_page(), list[str]()
    page.on("console", lambda message: complaints.append(message.text))
    page.goto((tmp_path / "report.html").as_uri())
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("[...document.images].every(one => one.naturalWidth > 0)")
    assert page.locator("h2").all_inner_texts() == [
        "What was matched", "Equal tokens", "Equal FLOPs", "Laws and the frontier",
        "What is not shown", "Provenance",
    ]  # fmt: skip
    cells = page.locator("#matched tbody tr").first.locator("th, td").all_inner_texts()
    assert cells[:3] == ["1000000.0", "3", "2"] and cells[-2:] == ["0.01", "8"]
    assert "third <i>" in page.locator("#laws").inner_text()
    assert complaints == []
    context.close()


def test_what_was_matched_by_hand() -> None:
    """N of 100 and 110, FLOPs of 6 x N x 1000 on equally many tokens: 10 % apart, both."""
    frame = pd.DataFrame([
        {"label": "p", "size": "s", "params_counted": 100, "tokens": 1000, "loss": 2, "seed": 0},
        {"label": "q", "size": "s", "params_counted": 110, "tokens": 1000, "loss": 2, "seed": 0},
        {"label": "q", "size": "s", "params_counted": 110, "tokens": 9000, "loss": 2, "seed": 1},
    ])  # fmt: skip
    section = matched_section(make_scaling(frame, "x"), None)
    (table, *_) = section.blocks
    assert isinstance(table, Rows)
    assert table.rows == [
        ["s", "2", "2", "100 to 110", "1e+03 to 9e+03", "6e+05 to 5.94e+06", "10.0 %", "10.0 %"]
    ]
