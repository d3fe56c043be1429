"""A damaged, foreign or hostile run folder costs no other run, and its text does nothing."""

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from fakes import edit_events
from nasarena.experiments.commands.cli import main
from nasarena.experiments.commands.status import statuses
from nasarena.figures.comparison import write_all

Add = Callable[..., Path]


def make_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def make_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


DAMAGES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "empty header": ("run.json", lambda file: file.write_text(""), "cannot be read as the header"),
    "a list": ("run.json", lambda file: file.write_text("[]"), "cannot be read as the header"),
    "another program's": (
        "run.json",
        lambda file: file.write_text('{"config": {"lr": 1}, "config_hash": "x"}'),
        "config.searcher.name",
    ),
    "config is no object": (
        "run.json",
        lambda file: file.write_text('{"config": 5, "config_hash": "x"}'),
        "cannot be read as the header",
    ),
    "deep": ("run.json", lambda file: file.write_text("[" * 100_000), "cannot be read as"),
    "not text": ("run.json", lambda file: file.write_bytes(b"\xff\xfe\x00"), "cannot be read as"),
    "a folder": ("events.jsonl", make_folder, "must be a file"),
    "a pipe": ("events.jsonl", make_pipe, "must be a file"),
    "zeros": ("events.jsonl", lambda file: file.write_bytes(b"\0\n\0\n"), "damaged at line 1"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_others_are_shown_and_compared(
    damage: str, tmp_path: Path, add_comparison: Add, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = add_comparison(tmp_path / "x", {"random": 0.0, "climber": 0.9}, 3)
    name, change, words = DAMAGES[damage]
    change(folder / "climber" / "seed-2" / name)
    conclusion = write_all(folder, "nasarena report", draws=False)
    assert {place.searcher for place in conclusion.analysis.standings.places} == {
        "random", "climber"
    }  # fmt: skip
    apart = [run for run in conclusion.analysis.tables.excluded if run.state == "unreadable"]
    assert [(run.searcher, run.seed) for run in apart] == [("climber/seed-2", None)]
    assert words in apart[0].reason
    reasons = pd.read_csv(folder / "table.csv")["reason"].dropna()
    assert any(words in reason for reason in reasons)
    assert words in (folder / "report.md").read_text().replace("\\", "")
    states = {run.path: run.state for run in statuses(folder)}
    assert states.pop("climber/seed-2") == "unreadable" and set(states.values()) == {"finished"}
    assert len(states) == 8
    assert main(["status", str(folder)]) == 1
    assert "8 finished, 1 unreadable" in capsys.readouterr().out


def test_status_obeys_nothing_that_a_run_says(
    tmp_path: Path, add_run: Add, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither rich's markup nor the terminal's escape sequences, in reasons and in paths."""
    run = add_run(tmp_path / "[/b]x", "random", 0, raises=True)
    edit_events(
        run,
        lambda event: (
            event.update(reason="[/b] \x1b]0;t\x07 \ud800 [red]w")
            if event["event"] == "failed"
            else None
        ),
    )
    assert main(["status", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "[/b]x/random/seed-0" in out and "[/b] \\x1b]0;t\\x07 \\ud800 [red]w" in out
    assert "\x1b" not in out and "\x07" not in out


def test_a_comparison_may_lie_in_a_folder_with_brackets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = "proxy=additive space.depth=4 seeds=1 budget=trials budget.amount=5 name=x".split()
    settings += "references=false report=false workers=1 searchers=[random]".split()
    assert main(["compare", *settings, "folder='wb[/b]x'"]) == 0
    assert "wb[/b]x/x/report.md" in capsys.readouterr().out
