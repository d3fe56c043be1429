"""The live page: what it shows of a comparison that goes on, and who may ask for it."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from nasarena.experiments.commands.one_comparison import run_comparison
from nasarena.experiments.comparison.plan import Comparison, plan_comparison
from nasarena.experiments.comparison.run_spec import Advance
from nasarena.experiments.comparison.running import Progress
from nasarena.experiments.live.progress import LiveProgress
from nasarena.experiments.live.server import LOOPBACK, open_live
from nasarena.experiments.settings.commands import compare_settings
from nasarena.search.errors import InvalidSetting

NASTY = "</script><img src=x onerror='window.hacked=1'>"
SMALL = ["searchers=[random]", "seeds=2", "references=false", "proxy=additive", "space.depth=6"]
SMALL += ["budget=trials", "budget.amount=6", "loop.finalists=1", "workers=1"]


def make(folder: Path, *more: str) -> Comparison:
    return plan_comparison(compare_settings([*SMALL, f"folder={folder}", "name=it", *more]), "")


def port_of(console: Console) -> int:
    said: str = console.file.getvalue()  # type: ignore[attr-defined]
    return int(said.rpartition(":")[2].strip(" /\n"))


def ask(port: int, path: str = "/", method: str = "GET", **headers: str) -> tuple[int, Any, bytes]:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=30)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.headers, answer.read()
    connection.close()
    return found


@pytest.fixture
def live() -> Iterator[tuple[LiveProgress, int]]:
    console = Console(file=StringIO(), width=160)
    with open_live(True, console) as progress:
        assert progress is not None
        yield progress, port_of(console)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Comparison, LiveProgress]:
    """A comparison that was run, and what reported it."""
    folder, progress = tmp_path_factory.mktemp("live"), LiveProgress()
    comparison = make(folder)
    config = compare_settings([*SMALL, f"folder={folder}", "name=it"])
    assert run_comparison(comparison, config, "", Console(quiet=True), progress) == []
    return comparison, progress


def test_a_curve_has_a_step_for_each_improvement(done: tuple[Comparison, LiveProgress]) -> None:
    comparison, progress = done
    (searcher,) = progress.snapshot()["searchers"]
    assert searcher["name"] == "random"
    for run, cell in zip(searcher["runs"], comparison.cells, strict=True):
        record = comparison.records.of(cell.path)
        assert record is not None
        best, steps = float("-inf"), []
        for number, trial in enumerate(record.trials(), start=1):
            if trial.score is not None and trial.score > best:
                best = trial.score
                steps.append((number, best))
        assert run == {"seed": cell.seed, "state": "finished", "trials": number, "share": 1.0,
                       "steps": steps}  # fmt: skip


def test_a_second_command_shows_what_was_done_before(
    done: tuple[Comparison, LiveProgress],
) -> None:
    comparison, progress = done
    again = LiveProgress()
    again.begin(comparison, [])
    assert again.snapshot()["searchers"] == progress.snapshot()["searchers"]


def test_a_run_that_cannot_be_read_has_no_curve(tmp_path: Path) -> None:
    comparison, progress = make(tmp_path), LiveProgress()
    first, second = comparison.cells
    progress.begin(comparison, comparison.cells)
    first.path.mkdir(parents=True)
    (first.path / "events.jsonl").write_text("{}\n[\n")
    progress.update(Progress(first, "partial", True, Advance(3, 0.5, 0.25)))
    progress.update(Progress(second, "failed", False, None, "it broke"))
    runs = progress.snapshot()["searchers"][0]["runs"]
    assert [(run["state"], run["share"], run["steps"]) for run in runs] == [
        ("running", 0.5, []), ("failed", 0.0, []),
    ]  # fmt: skip


def test_it_is_read_only_and_answers_to_this_machines_names_alone(
    live: tuple[LiveProgress, int],
) -> None:
    progress, port = live
    code, headers, page = ask(port)
    assert code == 200 and b"<h1>" in page and headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    code, _, content = ask(port, "/state.json", Host=f"localhost:{port}")
    assert code == 200 and json.loads(content) == progress.snapshot()
    assert ask(port, "/state.json", Host="evil.example")[0] == 403
    assert ask(port, "/../../etc/passwd")[0] == 404
    for method in ("POST", "PUT", "DELETE"):
        assert ask(port, "/", method)[0] == 501


def test_it_listens_on_the_loopback_address_alone_and_ends(tmp_path: Path) -> None:
    console = Console(file=StringIO(), width=160)
    before = threading.active_count()
    with open_live(True, console):
        port = port_of(console)
        bound = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        assert [one for one in bound if one.endswith(f":{port:04X}")][0] == f"0100007F:{port:04X}"
        with socket.socket() as other, pytest.raises(ConnectionRefusedError):
            other.connect(("127.0.0.2", port))
        with pytest.raises(InvalidSetting, match=f"live={port} cannot be served"):
            open_live(port, console).__enter__()
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        ask(port)
    with open_live(False, console) as nothing:
        assert nothing is None


def test_the_page_draws_the_curves_and_trusts_no_name(
    browser: Any, live: tuple[LiveProgress, int], done: tuple[Comparison, LiveProgress]
) -> None:
    progress, port = live
    comparison, _ = done
    progress.begin(comparison, [])
    progress._runs[NASTY] = progress._runs["random"]
    bests = [run.steps[-1][1] for run in progress._runs["random"].values()]
    context = browser.new_context(viewport={"width": 360, "height": 800})
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"http://{LOOPBACK}:{port}/")
    page.wait_for_selector("#plot path")
    assert page.locator("#rows tr").count() == 2 and page.title() == "it"
    assert NASTY in page.locator("#rows").inner_text()
    assert page.locator("#plot path").count() == 6  # a mean and two runs for each
    assert f"{sum(bests) / 2:.4f}" in page.locator("#rows tr").first.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert not page.evaluate("'hacked' in window") and complaints == []
    context.close()
