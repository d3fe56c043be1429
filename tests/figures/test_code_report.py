"""What the report adds for candidates that are code: chains, literature, the known improvement."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_pages import Opened

from nasarena.figures.comparison import write_all
from nasarena.figures.report.chains import chains, difference
from nasarena.figures.report.literature import literature_part
from nasarena.figures.results.analysis import analyze
from nasarena.search.hashes import config_hash
from nasarena.search.run_folder import read_run

NASTY = "</pre><script>window.hacked=1</script><img src=x onerror='window.hacked=1'>"
MODES = {"without": ("off", 0.2), "with cards": ("on", 0.9), "placebo": ("placebo", 0.4)}
CARDS = {"on": "focal-loss warmup", "placebo": "starfish"}


def _program(pattern: str) -> str:
    lines = [f"layer_{place} = '{letter}'" for place, letter in enumerate(pattern)]
    return "\n".join([*lines, f"# {NASTY}"])


def _as_code(value: Any) -> Any:
    """The same events with a program for each pattern."""
    if isinstance(value, dict):
        return {key: _as_code(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_code(item) for item in value]
    is_pattern = isinstance(value, str) and len(value) == 6 and set(value) <= set("AMS")
    return _program(value) if is_pattern else value


def _write_run(run: Path, label: str, mode: str) -> None:
    """A run of an agent: two drafts, a chain of improvements, a repair of each failure."""
    header = json.loads((run / "run.json").read_text())
    header["config"]["space"] = {"task": "toy", "functions": ["build"], "rules": "r"}
    header["config"]["searcher"] = {
        "name": "agent-greedy", "label": label, "options": {"literature": mode}
    }  # fmt: skip
    header["config_hash"] = config_hash(header["config"])
    (run / "run.json").write_text(json.dumps(header))
    events = [
        _as_code(json.loads(line)) for line in (run / "events.jsonl").read_text().splitlines()
    ]
    for event in events:
        if event["event"] == "settled" and event["trial"]["index"] >= 4:
            trial = event["trial"]
            is_draft = trial["index"] < 6
            trial["parents"] = [] if is_draft else [trial["index"] - 1]
            trial["details"] = {
                "operator": "draft" if is_draft else "improve",
                "name": f"idea {trial['index']}", "lesson": f"lesson {NASTY}",
            } | ({"literature": CARDS[mode]} if mode in CARDS else {})  # fmt: skip
            if trial["index"] == 8:
                trial["details"]["operator"] = "debug"
                trial["note"] = f"NameError {NASTY}"
    (run / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from conftest import write_run  # type: ignore[import-not-found]

    found = tmp_path_factory.mktemp("code")
    for name, (mode, greed) in MODES.items():
        for seed in range(4):
            run = write_run(found, name.replace(" ", "-"), seed, greed=greed, amount=10)
            _write_run(run, name, mode)
    known = {
        "proxy_version": "7", "candidate": "x = 1\n", "seeds": [0, 1, 2, 3],
        "script": [0.0, 0.01, 0.0, 0.01], "best": [1.0, 1.02, 1.0, 0.98],
    }  # fmt: skip
    (found / "known.json").write_text(json.dumps(known))
    write_all(found, "nasarena design", only=("ranking",))
    return found


def test_differences_are_those_of_programs_or_of_edits() -> None:
    assert difference("depth=1 clip=1", "depth=2 clip=1") == "-depth=1\n+depth=2"
    assert difference("a = 1\nb = 2\n", "a = 1\nb = 3\n").splitlines()[-2:] == ["-b = 2", "+b = 3"]
    assert difference("clip=1", "clip=1") == ""


def test_a_run_is_a_tree_below_its_drafts(folder: Path) -> None:
    found = chains(analyze(folder))
    assert len(found) == 12
    (chain,) = [one for one in found if (one.searcher, one.seed) == ("with cards", 0)]
    titles = [node.title for node in chain.nodes]
    assert titles[4:7] == ['4. draft "idea 4"', '5. draft "idea 5"', '6. improve "idea 6"']
    rest = len(titles) - 6
    assert [node.depth for node in chain.nodes] == [0] * 6 + list(range(1, rest + 1))
    assert chain.num_repairs == 1
    assert sum(node.is_best for node in chain.nodes) == 1
    heads = [heading for heading, _ in chain.nodes[8].texts]
    assert heads[:2] == ["changed from 7", "log"]
    assert "lesson" in heads
    trials = read_run(folder / "with-cards" / "seed-0").trials()
    changed = dict(chain.nodes[6].texts)["changed from 5"]
    old, new = trials[5].pattern.splitlines(), trials[6].pattern.splitlines()
    assert [line[1:] for line in changed.splitlines()[2:] if line.startswith("-")] == [
        line for line in old if line not in new
    ]


def test_patterns_have_notebooks_and_no_chains(comparison: Path) -> None:
    analysis = analyze(comparison)
    assert chains(analysis) == []
    assert literature_part(analysis) is None
    assert analysis.known_shares == {}


def test_the_modes_of_one_agent_stand_beside_one_another(folder: Path) -> None:
    analysis = analyze(folder)
    part = literature_part(analysis)
    assert part is not None
    assert [shelf.mode for shelf in part.shelves] == ["off", "on", "placebo"]
    on = part.shelves[1]
    scores = analysis.standings.scores["with cards"]
    assert (on.best, on.median) == (max(scores), pytest.approx(sum(sorted(scores)[1:3]) / 2))
    runs = [read_run(folder / "with-cards" / f"seed-{seed}") for seed in range(4)]
    count = sum(len(run.trials()) - 4 for run in runs)  # less the initial design
    assert dict(on.cards) == {"focal-loss": count, "warmup": count}
    assert (on.num_proposals, part.shelves[0].num_proposals) == (count, 0)
    assert on.against_off is not None and on.against_placebo is not None
    expected = sum(a - b for a, b in zip(scores, analysis.standings.scores["placebo"], strict=True))
    assert on.against_placebo.difference.estimate == pytest.approx(expected / 4)
    (sentence,) = part.sentences
    better = "better" if on.best > part.shelves[2].best else "worse"
    assert f"against cards of other fields its best run is {better} by" in sentence
    assert "no significant difference" in sentence  # four seeds cannot show one


def test_the_share_stands_beside_the_score(folder: Path) -> None:
    analysis = analyze(folder)
    shares = analysis.known_shares
    assert set(shares) == set(MODES)
    mean = sum(analysis.standings.scores["placebo"]) / 4
    assert shares["placebo"].estimate == pytest.approx((mean - 0.005) / 0.995)
    assert f"| placebo | {shares['placebo']} |" in (folder / "report.md").read_text()
    head, first, *_ = (folder / "table.csv").read_text().splitlines()
    assert head.endswith("known_share,known_share_low,known_share_high")
    assert f"{shares[first.split(',')[1]].estimate:.6g}" in first


def test_nothing_of_a_candidate_is_markup(folder: Path, open_report: Callable[..., Opened]) -> None:
    text = (folder / "report.html").read_text()
    assert NASTY not in text
    opened = open_report(folder / "report.html")
    page = opened.page
    assert page.evaluate("window.hacked") is None
    assert page.locator("#chains details[open]").count() == 0  # folded
    for fold in page.locator("#chains > details").first.locator("summary").all():
        fold.click()
    said = "\n".join(opened.texts("#chains pre"))
    assert f"# {NASTY}" in said and f"NameError {NASTY}" in said and f"lesson {NASTY}" in said
    assert page.locator("#chains script, #chains img").count() == 0
    assert page.evaluate("window.hacked") is None
    assert "focal-loss (" in page.locator("#literature").inner_text()
    page.set_viewport_size({"width": 400, "height": 900})
    assert opened.width() == 400
