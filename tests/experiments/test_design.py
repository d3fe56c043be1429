"""`nasarena design` from its settings to its report."""

import json
from pathlib import Path
from typing import Any

import pytest

from nasarena.experiments.design.command import design
from nasarena.experiments.design.ground import ON_EDITS, comparison_settings
from nasarena.experiments.settings.commands import design_settings
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.candidates.program_space import ProgramSpace
from nasarena.search.errors import InvalidSetting
from nasarena.search.run_folder import find_runs, read_run


def test_bare_it_compares_eight_searchers_or_more_on_edits() -> None:
    config = comparison_settings(design_settings())
    assert isinstance(config.space, EditSpace)
    assert [one.label or one.name for one in config.searchers] == list(ON_EDITS)
    assert len(ON_EDITS) >= 8
    assert (config.seeds, config.budget.unit, config.budget.amount) == (5, "trials", 24)
    smoke = comparison_settings(design_settings(["scale=smoke"]))
    assert (smoke.seeds, smoke.budget.amount) == (2, 8)


def test_code_is_searched_in_a_sandbox_by_wall_time() -> None:
    config = comparison_settings(design_settings(mode="code"))
    assert isinstance(config.space, ProgramSpace)
    options: dict[str, Any] = config.proxy.options
    assert (options["isolation"], options["clock"]) == ("sandbox", "wall")


def test_wrong_settings_are_one_line() -> None:
    with pytest.raises(InvalidSetting, match="seconds"):
        design_settings(["seconds=-1"])
    with pytest.raises(InvalidSetting, match="winner must be the file of a program"):
        design(["mode=code", "winner='depth=3'"])


_SHORT = ("clock=steps", "seconds=1", "workers=1", "report=false")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))


def test_a_small_comparison_is_run_reported_and_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [
        *_SHORT, f"folder={tmp_path}", "name=tiny", "seeds=1", "trials=3", "initial_design=2",
        "searchers=[{name:tpe,options:{num_startup:2}}]", "attribute=false",
    ]  # fmt: skip
    assert design(asked) == 0
    folder = tmp_path / "tiny"
    said = capsys.readouterr().out
    assert "plain GPT" in said
    assert "given script" in said
    config = read_run(folder / "tpe" / "seed-0").header["config"]
    assert config["searcher"]["name"] == "edits:tpe"
    assert config["space"]["task"] == "autoresearch"
    before = {path: (path / "events.jsonl").read_bytes() for path in find_runs(folder)}
    assert design(asked) == 0
    assert {path: (path / "events.jsonl").read_bytes() for path in find_runs(folder)} == before
    page = (folder / "report.md").read_text()
    assert "34 edits" in page
    assert "heatmap" not in page


def test_a_list_of_edits_is_taken_apart_without_a_search(tmp_path: Path) -> None:
    asked = [*_SHORT, f"folder={tmp_path}", "name=apart", "winner='clip=1'", "attribution_seeds=3"]
    assert design(asked) == 0
    found = json.loads((tmp_path / "apart" / "attribution.json").read_text())
    ways = [effect["question"]["way"] for effect in found["effects"]]
    assert ways == ["all of them", "left out", "added alone", "script against"]
    # The script, with the edit, a plain GPT, and the best known list.
    assert found["num_trainings"] == 12
    assert set(found["share"]) == {"estimate", "low", "high"}
