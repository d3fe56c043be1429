"""The leaderboard admits runs that come out again, and no others."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes import edit_events
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.comparison.run_spec import conclude_cells, search_cell
from nasarena.experiments.comparison.shared_model import with_model
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.release import leaderboard
from nasarena.experiments.release.leaderboard import Row, add_rows, admit, main
from nasarena.experiments.release.replay import NotReplayed, replay
from nasarena.experiments.settings.commands import compare_settings
from nasarena.search.errors import NasArenaError
from nasarena.search.hashes import config_hash
from nasarena.search.run_folder import read_run


def make_runs(folder: Path, *arguments: str) -> Path:
    """A comparison carried out in this process, without re-trainings."""
    shared = ["budget.unit=trials", "budget.amount=8", "loop.finalists=0", "references=false"]
    config = compare_settings([*shared, f"folder={folder}", "name=runs", *arguments])
    comparison = plan_comparison(config, "command")
    with with_model(comparison, config, make_console(stderr=True)) as comparison:
        for cell in comparison.cells:
            search_cell(cell, lambda advance: None)
        conclude_cells(comparison.cells)
    return folder / "runs"


@pytest.fixture(autouse=True)
def small_board(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaderboard, "TRIALS", 8)
    monkeypatch.setattr(leaderboard, "LEAST_SEEDS", 2)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return make_runs(tmp_path, "proxy=patternbench", "searchers=[random,local-search]", "seeds=2")


def test_runs_that_come_out_again_are_admitted(runs: Path, tmp_path: Path) -> None:
    from nasarena.experiments.execution.scoring import build_proxy
    from nasarena.experiments.settings.commands import evaluate_settings

    board = tmp_path / "board.json"
    assert main([str(runs), str(board)]) == 0
    config = evaluate_settings(["proxy=patternbench"])
    proxy: Any = build_proxy(config.proxy, config.space, cache=False)
    rows = {row["searcher"]: row for row in json.loads(board.read_text())}
    assert set(rows) == {"random", "local-search"}
    for name, row in rows.items():
        best = [
            max((t for t in read_run(run).trials() if t.status == "ok"), key=lambda t: t.score or 0)
            for run in sorted((runs / name).iterdir())
        ]
        wanted = sum(proxy.regret(trial.pattern) for trial in best) / 2
        assert row["regret"] == pytest.approx(wanted, abs=1e-6) and row["seeds"] == 2


def raise_score(event: dict[str, Any]) -> None:
    if event["event"] == "settled" and event["trial"]["index"] == 6:
        event["trial"]["score"] += 0.25


def other_pattern(event: dict[str, Any]) -> None:
    if event["event"] == "asked" and event["first"] == 6:
        event["patterns"] = ["A" * 16]
    if event["event"] == "settled" and event["trial"]["index"] == 6:
        event["trial"]["pattern"] = "A" * 16


@pytest.mark.parametrize(("change", "words"), [(raise_score, "score"), (other_pattern, "pattern")])
def test_an_edited_run_is_refused(
    runs: Path, change: Callable[[dict[str, Any]], None], words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    edit_events(runs / "local-search" / "seed-1", change)
    assert main([str(runs)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("not admitted") and words in line and "seed-1" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["seeds=1"], "seeds 0 to 1 at least"),
        (["seeds=2", "first_seed=1"], "seeds 0 to 1 at least"),
        (["seeds=2", "budget.amount=9"], "budget.amount must be 8"),
        (["seeds=2", "proxy.noise=0.5"], "proxy.noise must be 1.0"),
        (["seeds=2", "loop.initial_design=0"], "loop.initial_design must be 4"),
        (["seeds=2", "controls=[permuted_letters]"], "control must be none"),
    ],
)
def test_runs_under_another_condition_are_refused(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    folder = make_runs(tmp_path, "proxy=patternbench", "searchers=[random]", *arguments)
    with pytest.raises(NasArenaError, match=words):
        admit(folder)


def test_an_agents_run_comes_out_again_from_its_own_record(tmp_path: Path) -> None:
    arguments = ["proxy=additive", "searchers=[agent-sequential]", "seeds=1"]
    run = make_runs(tmp_path, *arguments) / "agent-sequential" / "seed-0"
    record = read_run(run)
    assert any(event["event"] == "llm_call" for event in record.events)
    again = replay(record, tmp_path / "again")
    assert [t.pattern for t in again.trials()] == [t.pattern for t in record.trials()]


def rewrite_config(run: Path, part: str, key: str, value: object, *, hashed: bool) -> None:
    file = run / "run.json"
    header = json.loads(file.read_text())
    header["config"][part][key] = value
    header["config_hash"] = config_hash(header["config"]) if hashed else header["config_hash"]
    file.write_text(json.dumps(header))


def test_a_proxy_of_other_code_is_held_to_its_scores_not_to_its_version(
    runs: Path, tmp_path: Path
) -> None:
    run = runs / "random" / "seed-0"
    rewrite_config(run, "proxy", "version", "older", hashed=True)
    again = replay(read_run(run), tmp_path / "again")
    assert again.config["proxy"]["version"] != "older"


@pytest.mark.parametrize(
    ("hashed", "words"),
    [(True, "searcher.uses_llm was True and is False"), (False, "changed after it ran")],
)
def test_replay_refuses_settings_that_do_not_hold(
    hashed: bool, words: str, runs: Path, tmp_path: Path
) -> None:
    run = runs / "random" / "seed-0"
    rewrite_config(run, "searcher", "uses_llm", True, hashed=hashed)
    with pytest.raises(NotReplayed, match=words):
        replay(read_run(run), tmp_path / "again")


def test_a_row_takes_the_place_of_the_one_of_its_name(tmp_path: Path) -> None:
    def row(name: str, regret: float) -> Row:
        return Row(name, regret, 0.1, 10, {}, "v", "2026-11-30", "hash")

    add_rows(tmp_path / "board.json", [row("a", 0.3), row("b", 0.2)])
    board = add_rows(tmp_path / "board.json", [row("a", 0.1)])
    assert [(one["searcher"], one["regret"]) for one in board] == [("a", 0.1), ("b", 0.2)]
    assert json.loads((tmp_path / "board.json").read_text()) == board
