"""`nasarena scale` and damage: said in a line, exit code 2, nothing lost, and the same command ends
with the numbers of an undisturbed one."""

import csv
from contextlib import nullcontext
from pathlib import Path

import pytest

from fakes import full_disk
from nasarena.experiments.commands import scale
from nasarena.experiments.commands.cli import main
from nasarena.experiments.execution.inline_pool import InlinePool
from nasarena.experiments.grid import cell_task

TINY = [
    "scale", "name=g", "sizes=[w16]", "patterns=[AMS,2M]", "budgets=[160]", "seeds=1",
    "data.length=8", "train.batch_size=2", "train.warmup_steps=2", "train.num_eval=4",
    "law.batch_power=0", "checkpoint_every=3", "engine=torch", "workers=1", "report=false",
]  # fmt: skip
BOTH = "budgets=[160,320]"
CELL = Path("g/cells/w16/1A1M1S/seed-0")
Row = dict[str, str]


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is timed, and no process is started."""
    monkeypatch.setattr(scale, "LocalPool", lambda workers: nullcontext(InlinePool()))
    monkeypatch.setattr(scale, "measure_peak", lambda report: 1e10)
    monkeypatch.setattr(cell_task, "_NUM_TIMED", 1)
    monkeypatch.setattr(cell_task, "_SHORTEST_S", 0.0)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        in_process.__wrapped__(monkeypatch)  # type: ignore[attr-defined]
        root = tmp_path_factory.mktemp("undisturbed")
        assert train(root, BOTH) == 0
        return rows_of(root)


def train(root: Path, *changes: str) -> int:
    return main([*TINY, f"folder={root}", *changes])


def rows_of(root: Path) -> list[Row]:
    return list(csv.DictReader((root / "g" / "scale.csv").read_text().splitlines()))


def said_of(text: str) -> str:
    """The one line about the cell that failed."""
    (line,) = [line for line in text.splitlines() if line.startswith("failed: ")]
    return line


def test_a_torn_checkpoint_costs_its_own_cell(
    tmp_path: Path, undisturbed: list[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path) == 0
    done = rows_of(tmp_path)
    file = tmp_path / CELL / "trunk.safetensors"
    torn = file.read_bytes()[:-50]
    file.write_bytes(torn)
    capsys.readouterr()
    assert train(tmp_path, BOTH) == 2
    line = said_of(capsys.readouterr().out)
    assert "is no whole checkpoint" in line and "remove it" in line
    found = rows_of(tmp_path)
    assert [row["status"] for row in found] == ["ok", "failed", "ok", "ok"]
    assert [found[0], found[2]] == done and file.read_bytes() == torn
    file.unlink()
    assert train(tmp_path, BOTH) == 0
    assert rows_of(tmp_path) == undisturbed


def test_a_full_disk_loses_no_finished_training(
    tmp_path: Path, undisturbed: list[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path) == 0
    done, trunk = rows_of(tmp_path), (tmp_path / CELL / "trunk.safetensors").read_bytes()
    capsys.readouterr()
    with full_disk(len(trunk) // 2):
        assert train(tmp_path, "patterns=[AMS]", BOTH) == 2
    line = said_of(capsys.readouterr().out)
    assert "cannot write" in line and "when there is room" in line
    assert rows_of(tmp_path)[0] == done[0]
    assert (tmp_path / CELL / "trunk.safetensors").read_bytes() == trunk
    assert train(tmp_path, BOTH) == 0
    assert rows_of(tmp_path) == undisturbed


def test_a_loss_that_diverges_is_said_and_leaves_no_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wild = ["patterns=[AMS]", "train.learning_rate=1e4", "train.clip=null"]
    for _ in range(2):  # again it says the same
        capsys.readouterr()
        assert train(tmp_path, *wild) == 2
        line = said_of(capsys.readouterr().out)
        assert "the loss of AMS must stay below" in line and "smaller learning_rate" in line
        (row,) = rows_of(tmp_path)
        assert (row["status"], row["loss"]) == ("failed", "") and row["note"] in line
