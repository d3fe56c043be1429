"""A comparison's runs are each parsed once in a command, and nothing stale is ever answered."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from nasarena.experiments.commands.cli import main
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.comparison.records import Records
from nasarena.experiments.settings.commands import compare_settings
from nasarena.figures.plots import gallery
from nasarena.search import run_folder
from nasarena.search.run_folder import find_runs, read_run

SETTINGS = [
    "proxy=additive", "name=x", "budget=trials", "budget.amount=8", "seeds=2",
    "searchers=[random,local-search,my.py:raises]", "workers=1",
]  # fmt: skip
RAISES = """
def raises(history, space, rng):
    raise RuntimeError("out of ideas")
"""


@pytest.fixture
def parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often this process has parsed the events of each run since it was last cleared."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))
    Path("my.py").write_text(RAISES)
    counts: Counter[str] = Counter()
    parse = run_folder._parse

    def count(content: bytes, path: Path) -> tuple[list[run_folder.Event], int]:
        counts[str(path)] += 1
        return parse(content, path)

    monkeypatch.setattr(run_folder, "_parse", count)
    monkeypatch.setattr(gallery, "FIGURES", gallery.FIGURES[:2])  # the others read nothing either
    yield counts


def test_each_run_is_parsed_once_when_it_is_new_and_once_when_all_is_asked_again(
    parsed: Counter[str],
) -> None:
    """With figures and page, with runs that failed, with references and what a benchmark knows."""
    assert main(["compare", *SETTINGS]) == 2
    paths = [str(path) for path in find_runs(Path("runs/x"))]
    assert len(paths) == 3 * 2 + 2  # three searchers and the references, on two seeds
    # One that breaks off is looked at when it does.
    assert parsed == {path: 2 if "raises" in path else 1 for path in paths}
    written = {path: path.read_bytes() for path in Path("runs/x").rglob("*") if path.is_file()}
    parsed.clear()
    assert main(["compare", *SETTINGS]) == 2
    assert parsed == dict.fromkeys(paths, 1)
    changed = [path.name for path in written if path.read_bytes() != written[path]]
    assert changed == []


@pytest.fixture(autouse=True)
def few_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted does not depend on how many are drawn."""
    monkeypatch.setattr(gallery, "FIGURES", gallery.FIGURES[:2])


def test_drawing_again_parses_each_run_once(parsed: Counter[str]) -> None:
    main(["compare", *SETTINGS, "report=false"])
    for command in (["report"], ["figures"], ["figures", "--check"]):
        parsed.clear()
        assert main([*command, "runs/x"]) == 0
        assert parsed == {str(path): 1 for path in find_runs(Path("runs/x"))}


def test_what_was_written_meanwhile_is_read_again_once_that_is_said(parsed: Counter[str]) -> None:
    main(["compare", *SETTINGS, "report=false"])
    folder = Path("runs/x")
    records, path = Records(folder), folder / "random" / "seed-0"
    whole = records.of(path)
    assert whole is not None and records.state(path) == "finished"
    assert [record.path for record in records.all()] == find_runs(folder)
    cut_short(path)
    assert records.of(path) is whole
    records.forget([path])
    assert records.state(path) == "partial" and len(records.all()) == len(find_runs(folder))
    assert records.of(folder / "nobody") is None and records.state(folder / "nobody") == "missing"


def test_a_run_that_another_process_writes_is_refused_before_anything_is_run(
    parsed: Counter[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["compare", *SETTINGS, "report=false"])
    first, second = plan_comparison(compare_settings(SETTINGS), "test").cells[:2]
    cut_short(first.path)
    cut_short(second.path)
    capsys.readouterr()
    with second.open():
        assert main(["compare", *SETTINGS, "report=false"]) == 2
    assert f"{second.path} is being written by another process" in capsys.readouterr().err
    assert [read_run(cell.path).state for cell in (first, second)] == ["partial"] * 2


def test_what_a_command_resumed_is_compared_as_it_is_now(parsed: Counter[str]) -> None:
    main(["compare", *SETTINGS, "report=false"])
    written = Path("runs/x/table.csv").read_text()
    cell = plan_comparison(compare_settings(SETTINGS), "test").cells[0]
    cut_short(cell.path)
    main(["compare", *SETTINGS, "report=false"])
    assert read_run(cell.path).state == "finished"
    assert "not finished" not in Path("runs/x/report.md").read_text()
    assert len(Path("runs/x/table.csv").read_text().splitlines()) == len(written.splitlines())


def cut_short(run: Path) -> None:
    """Take the last event from a run that was finished."""
    events = run / "events.jsonl"
    events.write_bytes(b"".join(events.read_bytes().splitlines(keepends=True)[:-1]))
