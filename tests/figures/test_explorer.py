"""The explorer in a real browser: what filters mean, links, files, what a model was asked."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_pages import Opened, edit

from nasarena.figures.comparison import write_all
from nasarena.figures.report.dialogues import dialogues
from nasarena.figures.results.tables import read_tables
from nasarena.search.run_folder import find_runs, read_run

Open = Callable[..., Opened]
FEW = ("ranking",)
NASTY = "</script><img src=x onerror='window.hacked=1'>"


def record_calls(run: Path) -> None:
    """As an agent's run: trial 5 came of two calls, every record in `llm/`."""
    (run / "llm").mkdir()
    lines = (run / "events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    place = [event.get("first") for event in events].index(5)
    calls = []
    for number in (1, 2):
        key, reply = f"{number:032x}", f"{number + 10:032x}"
        messages = [{"role": "system", "content": "rules"}, {"role": "user", "content": NASTY}]
        (run / "llm" / f"{key}.json").write_text(json.dumps({"messages": messages}))
        (run / "llm" / f"{reply}.json").write_text(json.dumps({"text": f"answer {number}"}))
        calls.append(json.dumps({"event": "llm_call", "key": key, "reply": reply}))
    (run / "events.jsonl").write_text("\n".join([*lines[:place], *calls, *lines[place:]]) + "\n")


def spoil(trial: dict[str, Any]) -> None:
    """The last trial is no pattern, but what a spreadsheet would take for a formula."""
    if trial["index"] == 11:
        cost = {"flops": 0, "tokens": 0, "device_seconds": 0.0}
        trial |= {"pattern": "=1+1", "status": "invalid", "score": None, "cost": cost}


@pytest.fixture(scope="module")
def told_folder(tmp_path_factory: pytest.TempPathFactory, comparison: Path) -> Path:
    """A comparison on a benchmark that knows the truth, with a run that called a model."""
    folder = tmp_path_factory.mktemp("told") / "small"
    shutil.copytree(comparison, folder)
    run = folder / "climber" / "seed-0"
    edit(run, spoil)
    record_calls(run)
    trials = [trial for path in find_runs(folder) for trial in read_run(path).trials()]
    patterns = sorted({trial.pattern for trial in trials if trial.score is not None})
    facts = {
        "version": 1,
        "proxy": {"name": "letters", "version": "7"},
        "size": 3**6,
        "optimum": {"pattern": patterns[0], "score": 1.0},
        "scores": {pattern: 1.0 - number / 1000 for number, pattern in enumerate(patterns)},
        "ranks": {pattern: number + 1 for number, pattern in enumerate(patterns)},
        "trainings": None,
        "surrogate": None,
    }
    (folder / "benchmark.json").write_text(json.dumps(facts))
    write_all(folder, "nasarena report", only=FEW)
    return folder


def all_patterns(folder: Path) -> list[str]:
    runs = [read_run(path) for path in find_runs(folder)]
    return [trial.pattern for run in runs for trial in run.trials()]


SPELLINGS: dict[str, Callable[[str], bool]] = {
    "2a1m": lambda p: "AAM" in p,
    "AM*2": lambda p: "AMAM" in p,
    "A?S": lambda p: any(p[i : i + 1] == "A" and p[i + 2 : i + 3] == "S" for i in range(4)),
    "^?M": lambda p: p[1] == "M",
    "2S$": lambda p: p.endswith("SS"),
    "^6A$": lambda p: p == "AAAAAA",
    "=1+": lambda p: p == "=1+1",
    "A(": lambda p: False,
}


def test_spellings_of_the_filter(told_folder: Path, open_report: Open) -> None:
    opened = open_report(told_folder / "report.html")
    for text, meaning in SPELLINGS.items():
        opened.page.fill("[name=pattern]", text)
        expected = sum(map(meaning, all_patterns(told_folder)))
        assert opened.texts("#found")[0].startswith(f"{expected} of "), text
    opened.page.fill("[name=pattern]", "A?S")
    first = opened.page.locator("#trials tr.row .pattern").first
    assert "".join(first.locator(".hit").all_inner_texts())[::2] == "AS"


def test_a_trial_shows_its_truth_and_what_the_model_said(
    told_folder: Path, open_report: Open
) -> None:
    page = open_report(told_folder / "report.html").page
    page.select_option("[name=searcher]", "climber")
    page.select_option("[name=seed]", "0")
    page.click("#trials thead button:text-is('trial')")
    page.click("#trials thead button:has-text('trial')")
    page.locator("#trials tr.row .toggle").nth(5).click()
    run = read_run(told_folder / "climber" / "seed-0")
    known = json.loads((told_folder / "benchmark.json").read_text())
    pattern = run.trials()[5].pattern
    detail = page.locator("tr.detail")
    assert f"rank {known['ranks'][pattern]} of 729" in detail.inner_text()
    assert f"{known['scores'][pattern]:.4f}" in detail.inner_text()
    prompts = detail.locator("pre").all_text_contents()
    assert prompts == [f"[system] rules\n\n[user] {NASTY}", "answer 1", prompts[0], "answer 2"]
    assert page.evaluate("window.hacked") is None


def test_calls_that_cannot_be_read_are_left_out(told_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "seed-0"
    shutil.copytree(told_folder / "climber" / "seed-0", run)
    secret = tmp_path / f"{99:032x}.json"
    secret.write_text(json.dumps({"text": "secret"}))
    (run / "llm" / f"{11:032x}.json").unlink()
    (run / "llm" / f"{11:032x}.json").symlink_to(secret)
    (run / "llm" / f"{12:032x}.json").write_text("[1, 2")
    (run / "llm" / f"{1:032x}.json").write_text('{"messages": 7}')
    text = (run / "events.jsonl").read_text()
    (run / "events.jsonl").write_text(text.replace(f"{2:032x}", f"../{secret.stem}"))
    assert dialogues(read_run(run)) == {5: [("", ""), ("", "")]}


def test_filters_are_a_link(told_folder: Path, open_report: Open) -> None:
    opened = open_report(told_folder / "report.html")
    page = opened.page
    assert page.evaluate("location.hash") == ""
    page.select_option("[name=searcher]", "climber")
    page.fill("[name=pattern]", "A?M")
    address, found = page.evaluate("location.href"), opened.texts("#found")
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    del opened.requests[1:]  # the same file again
    assert opened.texts("#found") == found and page.input_value("[name=pattern]") == "A?M"
    assert page.locator("#explorer").evaluate("e => e.getBoundingClientRect().top") < 200
    page.click("button[type=reset]")
    page.wait_for_function("() => location.hash === '#explorer'")


def test_rows_are_downloaded_as_they_are_filtered(
    told_folder: Path, open_report: Open, tmp_path: Path
) -> None:
    page = open_report(told_folder / "report.html").page
    page.select_option("[name=searcher]", "climber")
    with page.expect_download() as waiting:
        page.click("#csv")
    waiting.value.save_as(tmp_path / "trials.csv")
    rows = list(csv.DictReader((tmp_path / "trials.csv").read_text().splitlines()))
    own = read_tables(told_folder).trials.query("searcher == 'climber'")
    assert len(rows) == len(own)
    assert {row["pattern"].lstrip("'") for row in rows} == set(own["pattern"])
    assert [row["pattern"] for row in rows if "1+1" in row["pattern"]] == ["'=1+1"]
    scores = sorted(float(row["score"]) for row in rows if row["score"])
    assert scores == pytest.approx(sorted(own["score"].dropna()), abs=1e-5)
    assert {row["true_rank"] for row in rows} - {""}


def test_settings_are_a_table_and_the_command_can_be_copied(
    told_folder: Path, open_report: Open
) -> None:
    opened = open_report(told_folder / "report.html")
    rows = dict(
        row.locator("th, td").all_inner_texts()
        for row in opened.page.locator(".settings tbody tr").all()
    )
    assert rows["unit"] == "trials" and rows["depth"] == "6" and rows["alphabet"] == "AMS"
    opened.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened.page.click("[data-copy=command]")
    opened.page.wait_for_function(
        "() => document.querySelector('[data-copy]').textContent === 'Copied'"
    )
    assert opened.page.evaluate("navigator.clipboard.readText()") == "nasarena report"


def test_proposals_of_a_model_look_different(
    tmp_path: Path, add_run: Callable[..., Path], open_report: Open
) -> None:
    def half(trial: dict[str, Any]) -> None:
        if trial["index"] >= 4:
            trial["parents"] = [trial["index"] - 1]
            trial["provenance"] = "llm" if trial["index"] % 2 else "classical"

    edit(add_run(tmp_path, "agent", 0), half)
    write_all(tmp_path, "nasarena report", only=FEW)
    page = open_report(tmp_path / "report.html").page
    trials = read_run(tmp_path / "agent" / "seed-0").trials()
    scored = [trial for trial in trials if trial.index >= 4 and trial.status == "ok"]
    by_model = [trial for trial in scored if trial.provenance == "llm"]
    assert by_model and len(by_model) < len(scored)
    assert page.locator("#tree path.node.model.ok").count() == len(by_model)
    assert page.locator("#tree circle.node").count() == len(scored) - len(by_model)


def test_the_line_is_the_mean_of_the_best_so_far(told_folder: Path, open_report: Open) -> None:
    page = open_report(told_folder / "report.html").page
    by_hand = page.evaluate(
        """() => meanOfBest([[0, 1, 2], [3, 4]],
             { index: [4, 5, 7, 5, 6], score: [1, 3, 2, 5, 9] })"""
    )
    assert by_hand == [[5, 4], [6, 6], [7, 6]]  # from where both runs have a score
