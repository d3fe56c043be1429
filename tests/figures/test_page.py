"""report.html in a real browser: it loads alone, filters, sorts, fits a phone, trusts no text."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_pages import Opened, edit

from nasarena.experiments.measure import report as measure_report
from nasarena.figures.comparison import write_all
from nasarena.figures.report.trials import pack_trials
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.run_selection import Run
from nasarena.figures.results.tables import read_tables
from nasarena.figures.stats.intervals import iqm
from nasarena.search.hashes import config_hash
from nasarena.search.run_folder import RunRecord, find_runs, read_run

Add = Callable[..., Path]
COMMAND = "nasarena report runs/'<b>'"
FEW = ("ranking", "anytime")
NUM_REFERENCES = 8  # trials: two patterns on four seeds
NASTY = "</script><img src=x onerror='window.hacked=1'>\"'&{{7*7}}<b>"


def test_it_opens_with_the_verdict_and_a_figure(
    report_folder: Path, open_report: Callable[..., Opened]
) -> None:
    opened = open_report(report_folder / "report.html")
    page = opened.page
    assert page.locator("#verdict > p").count() == 2
    assert "cannot reach p < 0.05" in opened.texts("#verdict > p")[1]
    folded = page.locator("#verdict details p")
    assert folded.count() > 2 and not folded.first.is_visible()
    page.click("#verdict summary")
    assert "random search" in folded.first.inner_text()
    assert page.locator(".first img").evaluate("image => image.naturalWidth") > 400
    assert opened.page.locator("#trouble").is_hidden()
    order = [section.get_attribute("id") for section in opened.page.locator("main section").all()]
    assert order == [
        "verdict", "ranking", "curves", "figures", "fairness", "explorer", "notebooks",
        "curse", "provenance",
    ]  # fmt: skip
    assert COMMAND in opened.page.locator("#provenance").inner_text()


def test_the_first_screen_holds_contents_verdict_and_figure(
    report_folder: Path, open_report: Callable[..., Opened]
) -> None:
    page = open_report(report_folder / "report.html", 1400).page
    for name in ("nav", "#verdict", ".first img"):
        box = page.locator(name).bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 900, name
    page.locator(".first img").evaluate("image => image.setAttribute('height', 3000)")
    assert page.locator(".first img").bounding_box()["height"] < 800
    page.locator("#provenance").scroll_into_view_if_needed()
    assert page.locator("nav").bounding_box()["y"] == 0  # the contents stay


def test_filters_find_what_the_runs_hold(
    report_folder: Path, open_report: Callable[..., Opened]
) -> None:
    opened = open_report(report_folder / "report.html")
    page = opened.page
    trials = read_tables(report_folder).trials
    assert opened.texts("#found")[0].startswith(f"{len(trials) + NUM_REFERENCES} trials, best")
    page.select_option("[name=searcher]", "climber")
    own = trials[trials["searcher"] == "climber"]
    assert opened.texts("#found")[0].startswith(f"{len(own)} of ")
    page.select_option("[name=seed]", "1")
    own = own[own["seed"] == 1]
    assert sorted(opened.patterns()) == sorted(own["pattern"])
    page.fill("[name=pattern]", "am")
    assert sorted(opened.patterns()) == sorted(own["pattern"][own["pattern"].str.contains("AM")])
    page.fill("[name=pattern]", "nothing like it")
    assert opened.texts("#trials tbody") == ["No trial is like that."]
    page.click("button[type=reset]")
    page.select_option("[name=status]", "failed")
    failed = trials[trials["status"] == "failed"]
    assert f"{len(failed)} of" in opened.texts("#found")[0]
    assert "none of them scored" in opened.texts("#found")[0]
    page.select_option("[name=status]", "")
    page.select_option("[name=origin]", "llm")
    assert sorted(opened.patterns()) == sorted(
        read_tables(report_folder).trials.query("provenance == 'llm'")["pattern"]
    )


def test_columns_sort_both_ways_and_pages_turn(
    report_folder: Path, open_report: Callable[..., Opened]
) -> None:
    opened = open_report(report_folder / "report.html")
    page = opened.page

    def scores() -> list[str]:
        return opened.texts("#trials td.c-score")

    shown = [float(text) for text in scores()]
    assert len(shown) == 50 and shown == sorted(shown, reverse=True)
    rest: list[str] = []
    while page.locator("#forward").is_enabled():
        page.click("#forward")
        rest += scores()
    numbers = [float(text) for text in rest if text]
    assert numbers == sorted(numbers, reverse=True) and numbers[0] <= shown[-1]
    assert rest[-1] == "" and "" not in rest[: len(numbers)]  # without a score: last
    assert len(shown + rest) == len(read_tables(report_folder).trials) + NUM_REFERENCES
    page.click("#trials thead button:has-text('score')")
    ascending = [float(text) for text in scores() if text]
    assert ascending == sorted(ascending)
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("score")
    page.click("#trials thead button:has-text('pattern')")
    assert opened.patterns() == sorted(opened.patterns())


def test_a_row_opens_with_everything_and_leads_to_its_parent(
    report_folder: Path, open_report: Callable[..., Opened]
) -> None:
    page = open_report(report_folder / "report.html").page
    page.select_option("[name=origin]", "llm")
    page.click("#trials thead button:text-is('trial')")
    last = int(page.locator("td.c-index").first.inner_text())
    page.click("#trials tr.row:first-child .toggle")
    assert page.locator("#trials tr.row.open .toggle").get_attribute("aria-expanded") == "true"
    detail = page.locator("tr.detail").inner_text()
    assert f"why {last}" in detail and "training FLOPs" in detail
    page.click(f"tr.detail .link:has-text('trial {last - 1}')")
    assert f"why {last - 1}" in page.locator("tr.detail").inner_text()
    for _ in range(last - 4):  # as far as the initial design, which the filter hides
        page.locator("tr.detail .link:has-text('trial ')").first.click()
    assert page.input_value("[name=origin]") == ""
    assert page.locator("tr.row.open td.c-index").inner_text() == "3"


def test_the_tree_has_an_edge_to_every_parent(
    report_folder: Path, open_report: Callable[..., Opened]
) -> None:
    opened = open_report(report_folder / "report.html")
    page = opened.page
    assert page.locator("#run option").all_inner_texts()[0].startswith("climber, seed 1")
    trials = read_tables(report_folder).trials.query("searcher == 'climber' and seed == 1")
    assert page.locator("#tree .node").count() == len(trials)
    assert page.locator("#tree .edge").count() == len(trials) - 4
    scored = trials[trials["status"] == "ok"]
    best = int(scored.sort_values("score")["index"].iloc[-1])
    assert page.locator("#tree .edge.best").count() == max(0, best - 3)
    assert "1 of 2 judged hypotheses right" in page.locator("#run-words").inner_text()
    entries = opened.texts("#entries li")
    assert len(entries) == len(trials)
    assert "4. idea 4" in entries[4] and "why 4" in entries[4] and "wrong." in entries[4]
    page.locator("#tree .node").nth(6).click()
    assert page.locator("#entries li.chosen").inner_text().startswith("6. idea 6")
    assert page.locator("#tree .edge.chosen").count() == 3
    page.uncheck("#bare")
    assert len(opened.texts("#entries li")) == len(trials) - 4


def test_figures_are_enlarged(report_folder: Path, open_report: Callable[..., Opened]) -> None:
    page = open_report(report_folder / "report.html").page
    for figure in page.locator("figure[data-figure]").all():
        figure.scroll_into_view_if_needed()
        page.wait_for_function(
            "f => f.querySelector('img').naturalWidth", arg=figure.element_handle()
        )
    page.locator(".gallery .enlarge").first.click()
    image = page.locator("#zoom img")
    assert page.locator("#zoom").is_visible()
    page.wait_for_function("document.querySelector('#zoom img').offsetWidth > 300")
    before = image.evaluate("image => image.offsetWidth")
    page.click("[data-do=in]")
    assert image.evaluate("image => image.offsetWidth") == pytest.approx(1.4 * before, abs=1)
    title = page.locator("#zoom-title").inner_text()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "t => document.getElementById('zoom-title').textContent !== t", arg=title
    )
    page.keyboard.press("Escape")
    assert page.locator("#zoom").is_hidden()


def test_nothing_scrolls_sideways(report_folder: Path, open_report: Callable[..., Opened]) -> None:
    opened = open_report(report_folder / "report.html", 400)
    page = opened.page
    assert opened.width() == 400
    page.locator("#trials tr.row .toggle").first.click()
    for fold in page.locator("main details").all():
        fold.locator("summary").click()
    for width in (320, 400, 640, 768, 980, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert opened.width() == width


def test_no_text_is_trusted(
    tmp_path: Path, add_run: Add, open_report: Callable[..., Opened]
) -> None:
    """Names, hypotheses, notes, answers that are no pattern: shown as they are, run as nothing."""

    def spoil(trial: dict[str, Any]) -> None:
        trial["details"] = {"name": NASTY, "hypothesis": NASTY * 3, NASTY: "x" * 3000}
        trial["note"] = NASTY
        trial["provenance"] = NASTY
        if trial["index"] == 3:
            trial |= {"status": "invalid", "score": None, "pattern": NASTY}

    for seed in (0, 1):
        edit(add_run(tmp_path, "random", seed), spoil)
        run = add_run(tmp_path, "other", seed, greed=0.5)
        edit(run, spoil)
        header = json.loads((run / "run.json").read_text())
        header["config"]["searcher"]["label"] = NASTY + "w" * 100
        header["config_hash"] = config_hash(header["config"])
        header["commit"] = NASTY
        (run / "run.json").write_text(json.dumps(header))
        (run / "notebook.md").write_text(f"## 4. x\n\nExpected {NASTY}\n")
    write_all(tmp_path, f"nasarena report {NASTY}", only=FEW)
    for width in (1280, 400):
        opened = open_report(tmp_path / "report.html", width)
        page = opened.page
        page.fill("[name=pattern]", "</SCRIPT>")
        assert len(opened.patterns()) == 4
        page.locator("#trials tr.row .toggle").first.click()
        assert NASTY in page.locator("tr.detail").inner_text()
        assert NASTY in page.locator("#entries").inner_text()
        assert NASTY in page.locator("#ranking").inner_text()
        assert NASTY in page.locator("#provenance").inner_text()
        assert page.evaluate("window.hacked") is None
        assert page.locator("img[src=x]").count() == 0
        assert opened.width() == width


def test_a_partial_training_is_shown_and_is_never_the_best(
    tmp_path: Path, add_run: Add, open_report: Callable[..., Opened]
) -> None:
    def spoil(trial: dict[str, Any]) -> None:
        if trial["index"] == 3:
            trial |= {"fidelity": 0.25, "score": 9.0, "status": "ok"}

    edit(add_run(tmp_path, "random", 0), spoil)
    write_all(tmp_path, COMMAND, only=FEW)
    opened = open_report(tmp_path / "report.html")
    assert opened.texts("td.c-score")[0] == "9" and opened.texts("td.c-status")[0] == "ok, 25 %"
    best = read_tables(tmp_path).runs["best_search"].max()
    assert opened.texts("#found")[0].endswith(f"best search score {best:.4f}")


def test_only_its_own_script_may_run(report_folder: Path) -> None:
    text = (report_folder / "report.html").read_text()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', text)
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert len(re.findall(r"<script>", text)) == 1 and len(re.findall(r"<script ", text)) == 4


def test_controls_stand_beside_the_real_thing(
    tmp_path: Path, add_run: Add, open_report: Callable[..., Opened]
) -> None:
    for seed in range(3):
        add_run(tmp_path, "agent", seed, greed=0.9, options={"control": "none"})
        path = add_run(tmp_path / "blind", "agent", seed, options={"control": "shuffled_scores"})
        assert path.exists()
    write_all(tmp_path, COMMAND, only=FEW)
    runs = read_tables(tmp_path).runs
    final = runs.pivot(index="seed", columns="searcher", values="final")
    real, blind = (next(c for c in final if word in c) for word in ("none", "shuffled"))
    opened = open_report(tmp_path / "report.html")
    (row,) = opened.page.locator("#controls table").first.locator("tbody tr").all()
    cells = row.locator("th, td").all_inner_texts()
    assert cells[:3] == [blind, "which score belongs to which pattern", real]
    assert cells[3:5] == [f"{iqm(final[real]):.4f}", f"{iqm(final[blind]):.4f}"]
    assert cells[5].split()[0] == f"{(final[real] - final[blind]).mean():+.4f}"
    assert cells[7] == f"{(final[real] > final[blind]).sum()} of 3"


def test_a_benchmark_says_what_its_scores_are_worth(
    tmp_path: Path, add_comparison: Add, open_report: Callable[..., Opened]
) -> None:
    folder = add_comparison(tmp_path, seeds=2)
    trials = [trial for run in find_runs(folder) for trial in read_run(run).trials()]
    patterns = sorted({trial.pattern for trial in trials if trial.score is not None})
    scores = {pattern: number / len(patterns) for number, pattern in enumerate(patterns)}
    best = patterns[-1]
    pairs = [[p, scores[p], scores[p] + 0.1, scores[p] - 0.1] for p in patterns[:12]]
    test = {
        "kendall_tau": 0.81, "tau_interval": [0.7, 0.9], "noise_ceiling": 0.85,
        "ceiling_interval": [0.8, 0.9], "tau_top_tenth": 0.4, "ceiling_top_tenth": 0.5, "r2": 0.9,
    }  # fmt: skip
    kinds = [
        {"name": NASTY, "error": 0.1, "fold_errors": [0.08, 0.12]},
        {"name": "ridge", "error": 0.2, "fold_errors": []},
    ]  # fmt: skip
    facts = {
        "version": 1,
        "proxy": {"name": "letters", "version": "7"},
        "size": 3**6,
        "optimum": {"pattern": best, "score": scores[best]},
        "scores": scores,
        "ranks": {pattern: len(patterns) - number for number, pattern in enumerate(patterns)},
        "trainings": {best: 2},
        "surrogate": {
            "winner": "ridge", "test": test, "kinds": kinds, "spread": 0.1, "held_out": pairs,
            "slice": "AM", "test_slice": None, "discrepancy": 0.01,
            "discrepancy_interval": [0.0, 0.02],
            "sample": {"trainings": 24, "patterns": 12, "repeated": 12},
            "proxy": {"proxy": "quick", "version": "1", "date": "today"},
        },
    }  # fmt: skip
    (folder / "benchmark.json").write_text(json.dumps(facts))
    write_all(folder, COMMAND, only=(*FEW, "surrogate"))
    opened = open_report(folder / "report.html", 400)
    section = opened.page.locator("#benchmark")
    words = section.inner_text()
    assert "Kendall tau against the mean of two trainings is 0.810" in words
    assert "stays below what the noise of those trainings allows (0.850)" in words
    assert "Its own error, noise apart, is 0.0100 (0.0000 to 0.0200)" in words
    assert "0.08000 to 0.12000" in words and "trained twice" not in words
    assert "No winner was trained for real afterwards" in words and best in words
    assert NASTY in words and opened.page.evaluate("window.hacked") is None
    assert section.locator("table").first.locator("tbody tr").count() == 3
    assert "nan" not in words.lower().split() and opened.width() == 400
    section.locator("summary").click()
    assert section.locator("details tbody tr").count() > 0


def test_the_winners_curse_is_search_less_final(
    report_folder: Path, open_report: Callable[..., Opened]
) -> None:
    opened = open_report(report_folder / "report.html")
    runs = read_tables(report_folder).runs
    for row in opened.page.locator("#curse tbody tr").all():
        name = row.locator("th").inner_text()
        own = runs[runs["searcher"] == name]
        gap = iqm((own["search_of_finals"] - own["final"]).to_numpy())
        assert row.locator("td").nth(2).inner_text().split()[0] == f"{gap:+.4f}"
        assert row.locator("line.seed").count() == 4


def test_one_seed_of_one_searcher_says_so(
    tmp_path: Path, add_run: Add, open_report: Callable[..., Opened]
) -> None:
    add_run(tmp_path, "alone", 0)
    write_all(tmp_path, COMMAND, only=FEW)
    opened = open_report(tmp_path / "report.html")
    assert "the only searcher to compare" in opened.texts("#verdict")[0]
    assert "nan" not in opened.page.locator("main").inner_text().lower().split()
    assert len(opened.patterns()) == 12


def test_all_failed_says_so_and_still_shows_what_was_tried(
    tmp_path: Path, add_run: Add, open_report: Callable[..., Opened]
) -> None:
    add_run(tmp_path, "random", 0, fails=True)
    add_run(tmp_path, "crasher", 0, raises=True)  # after its initial design
    write_all(tmp_path, COMMAND, only=FEW)
    opened = open_report(tmp_path / "report.html", 400)
    assert "none of the 2 runs finished with a score" in opened.texts("#verdict")[0]
    assert "out of ideas" in opened.texts("#excluded")[0]
    assert opened.page.locator("#figures, #ranking, #fairness").count() == 0
    opened.page.select_option("[name=searcher]", "random")
    assert "none of them scored" in opened.texts("#found")[0]
    opened.page.locator("#trials tr.row .toggle").first.click()
    detail = opened.page.locator("tr.detail").inner_text()
    assert "loss became nan at step 3" in detail and "run excluded" in detail
    assert opened.width() == 400


def long_run(source: RunRecord, seed: int, rng: np.random.Generator, words: int) -> Run:
    """64 trials of fresh patterns, each with so many random words said about it."""
    settled = next(source.of_kind("settled"))
    events = []
    for index in range(64):
        pattern = "".join(rng.choice(list("AMS"), 16))
        text = " ".join(map(str, rng.integers(0, 10_000, words)))
        trial = settled["trial"] | {
            "index": index, "pattern": pattern, "score": float(rng.normal()), "status": "ok",
            "details": {"name": pattern, "hypothesis": text}, "parents": [max(0, index - 1)],
        }  # fmt: skip
        events.append({"event": "settled", "trial": trial, "spent": float(index)})
    return Run(f"searcher {seed % 10}", RunRecord(source.path, source.header, events))


@pytest.mark.parametrize(("words", "limit"), [(8, 1000), (90, 160)])
def test_200_runs_of_64_trials_fit(comparison: Path, words: int, limit: int) -> None:
    """Texts are cut only where they would not fit; the rest of the page has 3 of its 5 MB."""
    source, rng = read_run(find_runs(comparison)[0]), np.random.default_rng(0)
    runs = [long_run(source, seed, rng, words) for seed in range(200)]
    packed = pack_trials(Analysis(read_tables(comparison), None, runs), {})
    assert packed.num_trials == 12_800 and len(packed.content) < 2_000_000
    assert packed.text_limit == limit


def test_the_measured_report_holds_what_it_claims(tmp_path: Path, browser: Any) -> None:
    measure_report.write_runs(tmp_path, num_searchers=2, num_seeds=2, num_trials=9)
    runs = [read_run(path) for path in find_runs(tmp_path)]
    assert len(runs) == 4 and all(run.state == "finished" for run in runs)
    said = [trial for run in runs for trial in run.trials() if trial.details]
    assert len(said) == 2 * (9 - 4) and len(said[0].details["hypothesis"].split()) == 20
