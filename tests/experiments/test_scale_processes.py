"""`nasarena scale` under `torchrun`: rank 0 is the command, the others only help."""

import csv
import json
from pathlib import Path

import pytest
from joint_training import launch

from nasarena.experiments.commands.cli import main

SETTINGS = [
    "patterns=[AMS]", "sizes=[w16]", "budgets=[128]", "seeds=1", "data.length=8",
    "train.batch_size=2", "train.warmup_steps=2", "train.num_eval=4", "checkpoint_every=3",
    "law.rate_power=0", "law.batch_power=0", "scores=[]", "report=false", "name=g",
    "workers=1",
]  # fmt: skip


def scale(folder: Path, *changes: str) -> int:
    return main(["scale", *SETTINGS, f"folder={folder}", *changes])


def rows_of(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "g" / "scale.csv").read_text().splitlines()))


def test_all_processes_train_a_grid_as_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    together, alone = tmp_path / "together", tmp_path / "alone"
    assert launch(2, scale, together, joins=False) == [0, 0]
    said = capfd.readouterr()
    # Torch 2.13 says of gloo that it has no hooks.
    complaints = [line for line in said.err.splitlines() if "ProcessGroup.hpp" not in line]
    assert said.out.count("scale.csv") == 1 and complaints == []
    assert scale(alone, "engine=torch") == 0
    for one, two in zip(rows_of(alone), rows_of(together), strict=True):
        assert float(one.pop("loss")) == pytest.approx(float(two.pop("loss")), abs=1e-5)
        assert float(one.pop("bits_per_byte")) == pytest.approx(
            float(two.pop("bits_per_byte")), abs=1e-5
        )
        assert one == two
    settings = json.loads((together / "g" / "scale.json").read_text())["settings"]
    assert settings["engine"] == "torch"
    # One process goes on with more budgets, if it is told to take the same engine.
    capfd.readouterr()
    assert scale(together) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "made with other settings" in line and "engine" in line
    assert scale(together, "engine=torch", "budgets=[128,160]") == 0
    assert [row["status"] for row in rows_of(together)] == ["ok"] * 2


def test_kernels_of_one_core_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    monkeypatch.setenv("RANK", "0")
    assert scale(tmp_path, "engine=native") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "use engine=torch with torchrun" in line
    assert list(tmp_path.iterdir()) == []
