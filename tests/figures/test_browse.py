"""The index of results and the difference of two comparisons: what they say, and that both open."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from report_pages import Opened

from nasarena.experiments.commands.cli import main
from nasarena.figures.browse.difference import compare_folders
from nasarena.figures.browse.folders import describe, find_entries, kind_of, sentences
from nasarena.figures.browse.render import link, size_in_words, write_difference, write_index
from nasarena.figures.comparison import write_all
from nasarena.search.errors import RunFolderRefused

NASTY = "<img src=x onerror='window.hacked=1'>"


@pytest.fixture(scope="module")
def results(comparison: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`runs` with a concluded comparison and a copy that is not whole, beside `audits`."""
    place = tmp_path_factory.mktemp("results")
    shutil.copytree(comparison, place / "runs" / "first")
    write_all(place / "runs" / "first", "nasarena report", draws=False)
    shutil.copytree(place / "runs" / "first", place / "runs" / "second")
    (place / "runs" / "second" / "climber" / "seed-3" / "events.jsonl").write_text("")
    planned = ["climber/seed-0", "climber/seed-9"]
    plan = {"command": "nasarena compare", "runs": planned}
    (place / "runs" / "second" / "plan.json").write_text(json.dumps(plan))
    audit = place / "audits" / "quick"
    audit.mkdir(parents=True)
    (audit / "audit.md").write_text("# Audit of quick\n\n**It \\<can\\>.**\n\n- more\n\n| a |\n")
    (audit / "audit.json").write_text('{"date": "2026-11-29"}')
    return place


def test_every_kind_of_folder_is_known_and_foreign_ones_are_not(tmp_path: Path) -> None:
    for kind, name in (("suite", "suite.json"), ("scale", "scale.json"), ("audit", "audit.md"),
                       ("comparison", "plan.json")):  # fmt: skip
        (tmp_path / "deep" / kind).mkdir(parents=True)
        (tmp_path / "deep" / kind / name).write_text("{}")
    (tmp_path / "deep" / "design").mkdir()
    (tmp_path / "deep" / "design" / "plan.json").write_text('{"command": "nasarena design"}')
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "deep")
    assert kind_of(tmp_path / "other") is None
    found = {entry.path: entry.kind for entry in find_entries(tmp_path)}
    assert found == {
        tmp_path / "deep" / kind: kind
        for kind in ("audit", "comparison", "design", "scale", "suite")
    }


def test_an_entry_says_what_is_finished_missing_and_cut_off(results: Path) -> None:
    first = describe(results / "runs" / "first", "comparison")
    second = describe(results / "runs" / "second", "comparison")
    assert first.is_whole and first.status == "16 of 16 finished"
    assert second.states == Counter(finished=15, partial=1, missing=1)
    assert second.status == "15 of 17 finished, 1 missing, 1 partial" and not second.is_whole
    assert first.verdict == sentences(results / "runs" / "first")[0]
    assert first.size_bytes == sum(
        file.stat().st_size for file in (results / "runs" / "first").rglob("*") if file.is_file()
    )


def test_a_verdict_is_that_of_the_report_without_its_markup(results: Path) -> None:
    assert sentences(results / "audits" / "quick") == ["It <can>.", "more"]
    entry = describe(results / "audits" / "quick", "audit")
    assert (entry.date, entry.pages) == ("2026-11-29", ["audit.md"])


def test_damaged_files_cost_no_other_folder(tmp_path: Path, results: Path) -> None:
    shutil.copytree(results / "runs", tmp_path / "runs")
    broken = tmp_path / "runs" / "second"
    (broken / "plan.json").write_text("[" * 100_000)
    (broken / "climber" / "seed-0" / "run.json").write_text('{"date": 3, "provenance": [7]}')
    (broken / "climber" / "seed-1" / "events.jsonl").write_bytes(b'\xff{"event"\n')
    (broken / "report.md").unlink()
    entries = {entry.path.name: entry for entry in find_entries(tmp_path)}
    assert entries["first"].status == "16 of 16 finished"
    assert entries["second"].states == Counter(finished=14, partial=2)
    assert entries["second"].verdict == ""


def test_the_difference_is_of_settings_searchers_and_scores(
    results: Path, tmp_path: Path, add_comparison: Callable[..., Path]
) -> None:
    other = add_comparison(tmp_path / "other", {"random": 0.0, "bold": 1.0}, seeds=2, amount=10)
    write_all(other, "nasarena report", draws=False)
    found = compare_folders(results / "runs" / "first", other)
    assert ("budget.amount", "12", "10") in found.settings
    assert ("seeds", "0, 1, 2, 3", "0, 1") in found.settings
    rows = {name: (left, right, change) for name, left, right, change in found.searchers}
    assert set(rows) == {"random", "climber", "halfway", "bold"}
    left, right, change = rows["random"]
    assert left and right and left.score and right.score and left.p_random is None
    assert change == pytest.approx(right.score - left.score) and found.apart == ""
    assert rows["bold"][0] is None and rows["climber"][1] is None
    assert found.num_common == 2  # the references on both seeds: no budget, the same patterns


def test_no_difference_is_shown_between_two_scales(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results / "runs" / "first", tmp_path / "first")
    for run in (tmp_path / "first").glob("*/seed-*/run.json"):
        header = json.loads(run.read_text())
        header["config"]["proxy"]["version"] = "8"
        run.write_text(json.dumps(header))
    found = compare_folders(results / "runs" / "first", tmp_path / "first")
    assert found.apart == "proxy.version is 7 and 8"
    assert {change for *_, change in found.searchers} == {None}


def test_what_is_no_comparison_is_refused_in_one_line(
    results: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(RunFolderRefused, match="holds no comparison but audit"):
        compare_folders(results / "runs" / "first", results / "audits" / "quick")
    monkeypatch.chdir(tmp_path)
    for arguments, words in (
        ([], "there is no folder 'runs'"),
        (["nowhere"], "there is no folder 'nowhere'"),
        (["."], "nothing to browse in ."),
        (["a", "b", "c"], "got 3 arguments"),
    ):
        assert main(["browse", *arguments]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert words in line
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_both_pages(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(results)
    assert main(["browse"]) == 0
    assert capsys.readouterr().out.splitlines() == ["3 results", "runs/browse.html"]
    assert main(["browse", "runs/first", "runs/second"]) == 0
    words, page = capsys.readouterr().out.splitlines()
    assert words.startswith("0 settings differ") and Path(page).name == "first-against-second.html"


def test_links_are_paths_whatever_a_folder_is_called(tmp_path: Path) -> None:
    assert link(tmp_path / "javascript:x" / "a b?.md", tmp_path) == "./javascript%3Ax/a%20b%3F.md"
    assert link(tmp_path / "audits" / "q", tmp_path / "runs") == "./../audits/q"
    assert [size_in_words(n) for n in (0, 999, 12_345, 5_000_000_000)] == [
        "0 B", "999 B", "12.3 kB", "5 GB",
    ]  # fmt: skip


def test_the_index_filters_fits_a_telephone_and_trusts_no_name(
    results: Path, tmp_path: Path, open_page: Callable[..., Opened]
) -> None:
    shutil.copytree(results, tmp_path / "r")
    runs = tmp_path / "r" / "runs"
    (runs / "first").rename(runs / NASTY.replace("/", ""))
    (runs / "second" / "report.md").write_text(f"# Comparison\n\n**{NASTY}**\n")
    page_file, count = write_index([runs, tmp_path / "r" / "audits"], runs)
    opened = open_page(page_file, 360)
    page = opened.page
    assert count == 3 and opened.width() == 360
    assert NASTY in opened.texts(".results")[0] and not page.evaluate("'hacked' in window")
    page.fill("[name=words]", "missing partial")
    assert page.locator(".results tbody tr:visible").count() == 1
    assert page.locator("#found").inner_text() == "1 of 3 results"
    page.click("button[type=reset]")
    page.select_option("[name=kind]", "audit")
    assert opened.texts(".results tbody tr:visible a >> nth=0") == ["quick"]
    target = page.locator(".results tbody tr:visible a").first.evaluate("a => a.href")
    assert target == (tmp_path / "r" / "audits" / "quick" / "audit.md").as_uri()


def test_the_difference_opens_and_fits(results: Path, open_page: Callable[..., Opened]) -> None:
    page_file, _ = write_difference(results / "runs" / "first", results / "runs" / "second")
    opened = open_page(page_file, 360)
    assert opened.width() == 360
    for fold in opened.page.locator("details").all():
        fold.locator("summary").click()
    assert opened.width() == 360
    assert len(opened.texts("#searchers tbody tr")) == 3
    assert opened.texts("#settings p") == ["None: both were made under the same settings."]
