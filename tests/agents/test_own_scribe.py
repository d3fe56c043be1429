"""A model trained as the embedded agent was, in a folder of the user's, plays in its place."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("transformers")
pytest.importorskip("tokenizers")

from tiny_scribe import TINY

from nasarena.agents.scribe import train as training
from nasarena.experiments.commands.cli import main
from nasarena.search.run_folder import read_run


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "found"
    training.save(training.Training(TINY), folder)
    said = json.loads((folder / "training.json").read_text())
    (folder / "training.json").write_text(json.dumps({**said, "lines": 12}))
    return folder


def compare(root: Path, *settings: str) -> int:
    return main([
        "compare", "proxy=additive", "searchers=[agent-iid]", "seeds=1", "budget.unit=trials",
        "budget.patterns=null", "budget.amount=6", "name=own", f"folder={root}", "workers=1",
        "references=false", "report=false", "loop.finalists=0", *settings,
    ])  # fmt: skip


def test_its_weights_answer_under_its_name_beside_the_shipped_one(
    found: Path, tmp_path: Path
) -> None:
    assert compare(tmp_path) == 0
    assert compare(tmp_path, f"llm.model={found}", "llm_label=found") == 0
    names = ("agent-iid", "agent-iid-found")
    shipped, own = (read_run(tmp_path / "own" / name / "seed-0") for name in names)
    assert (shipped.config["llm"]["model"], own.config["llm"]["model"]) == ("scribe", "found")
    assert own.config["llm"]["active_params"] < shipped.config["llm"]["active_params"] / 10
    assert own.config["searcher"]["options"]["lines"] == 12
    costs = [trial.llm for trial in own.trials() if trial.llm is not None]
    assert len(costs) == 2
    for cost in costs:  # the FLOPs of the small model, so it was asked and not the other
        tokens = cost.prompt_tokens + cost.completion_tokens
        assert cost.flops == 2 * own.config["llm"]["active_params"] * tokens


def test_a_run_does_not_go_on_with_another_model(
    found: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(tmp_path, f"llm.model={found}") == 0
    other = tmp_path / "other"
    shutil.copytree(found, other)
    assert compare(tmp_path, f"llm.model={other}") == 2
    assert "llm.model is 'found', not 'other'" in capsys.readouterr().err


def test_a_folder_of_something_else_is_one_line(
    found: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "model.safetensors").write_bytes((found / "config.json").read_bytes())
    for folder in ("plain", "nowhere"):
        assert compare(tmp_path, f"llm.model={tmp_path / folder}") == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"llm=scribe needs weights in {tmp_path / folder}" in line
