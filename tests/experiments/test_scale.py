"""`nasarena scale`: a tiny grid from settings to scale.csv, kills, growth, and each bad input."""

import csv
import fcntl
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from nasarena.experiments.commands import scale
from nasarena.experiments.commands.cli import main
from nasarena.experiments.execution.inline_pool import InlinePool
from nasarena.experiments.grid import cell_task
from nasarena.figures.results.scaling import read_scaling
from nasarena.proxies.scaled.training import Cell, Progress
from nasarena.search.errors import ProxyFailed

TINY = [
    "scale", "name=g", "sizes=[w16,w32]", "patterns=[AMS,2M]", "budgets=[160,320]", "seeds=1",
    "data.length=8", "train.batch_size=2", "train.warmup_steps=2", "train.num_eval=4",
    "law.batch_power=0", "checkpoint_every=3", "engine=torch", "workers=1", "report=false",
]  # fmt: skip
NUM_STEPS = 16 + 2 + 4  # of each of the four trainings: trunk, and two decays


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is timed, and no process is started."""
    monkeypatch.setattr(scale, "LocalPool", lambda workers: nullcontext(InlinePool()))
    monkeypatch.setattr(scale, "measure_peak", lambda report: 1e10)
    monkeypatch.setattr(cell_task, "_NUM_TIMED", 1)
    monkeypatch.setattr(cell_task, "_SHORTEST_S", 0.0)


def train(root: Path, *changes: str) -> int:
    return main([*TINY, f"folder={root}", *changes])


def rows_of(root: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((root / "g" / "scale.csv").read_text().splitlines()))


def num_lines(root: Path) -> int:
    """Steps that were ever trained."""
    return sum(len(file.read_text().splitlines()) for file in root.rglob("losses.jsonl"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A grid that was trained at once; read only."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        in_process.__wrapped__(monkeypatch)  # type: ignore[attr-defined]
        root = tmp_path_factory.mktemp("finished")
        assert train(root) == 0
        yield root


def test_a_grid_has_a_row_for_each_training_and_budget(finished: Path) -> None:
    table = read_scaling(finished / "g")
    rows = table.rows
    assert len(rows) == 8 and table.without.empty and table.assumed == ()
    assert list(rows["label"].unique()) == ["1A1M1S", "2M"]
    assert set(rows["tokens"]) == {160, 320}
    # An MLP of width 16 has two matrices of 16 x 64, the head has 16 x 256.
    small = rows[(rows["label"] == "2M") & (rows["size"] == "w16") & (rows["tokens"] == 160)]
    matrices = 2 * 2 * 16 * 64 + 16 * 256
    assert small["params_counted"].item() == matrices
    assert small["flops"].item() == 6 * matrices * 160  # nothing but these takes FLOPs
    losses = json.loads((finished / "g/cells/w16/2M/seed-0/result-10.json").read_text())
    assert small["loss"].item() == losses["loss"]


def test_the_header_says_what_was_trained_and_how(finished: Path) -> None:
    header = json.loads((finished / "g" / "scale.json").read_text())
    assert header["patterns"] == {"1A1M1S": "AMS", "2M": "MM"}
    narrow, wide = header["sizes"]
    # N of the power law: 8 attention layers of 4 w^2, 8 MLPs of 8 w^2, and the head.
    assert narrow["parameters"] == 8 * 12 * 16**2 + 256 * 16
    assert wide["parameters"] == 8 * 12 * 32**2 + 256 * 32
    ratio = narrow["train"]["learning_rate"] / wide["train"]["learning_rate"]
    assert ratio == pytest.approx((wide["parameters"] / narrow["parameters"]) ** (1 / 3), rel=0.01)
    assert header["settings"]["data"]["length"] == 8
    assert "scale" in header["provenance"][0]["command"]


def test_finished_cells_are_not_trained_again(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, num_before = rows_of(finished), num_lines(finished)
    monkeypatch.setattr(cell_task.CellTask, "__call__", None)
    assert train(finished) == 0
    assert rows_of(finished) == before and num_lines(finished) == num_before == 4 * NUM_STEPS


def test_a_grid_grows_by_what_is_missing(tmp_path: Path, finished: Path) -> None:
    assert train(tmp_path, "sizes=[w16]", "budgets=[160]") == 0
    assert train(tmp_path) == 0
    assert rows_of(tmp_path) == rows_of(finished)


def test_kill_nine_in_the_middle_changes_no_loss(tmp_path: Path, finished: Path) -> None:
    """Of the whole command with its worker processes; what is left is trained in this one."""
    script = "import sys; from nasarena.experiments.commands.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", script, *TINY, f"folder={tmp_path}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
        while child.poll() is None and num_lines(tmp_path) < 2 * NUM_STEPS + 7:
            time.sleep(0.001)
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    for file in tmp_path.rglob("losses.jsonl"):  # its worker ends when it hears of it
        with open(file, "ab") as log:
            fcntl.flock(log, fcntl.LOCK_EX)
    num_before = num_lines(tmp_path)
    assert num_before < 4 * NUM_STEPS
    assert train(tmp_path) == 0
    assert rows_of(tmp_path) == rows_of(finished)
    assert num_lines(tmp_path) <= 4 * NUM_STEPS + 3  # three steps lie between two checkpoints


def test_a_training_that_diverges_leaves_the_others_alone(
    tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(cell: Cell, *arguments: Any, **options: Any) -> Iterator[Progress]:
        for progress in sound(cell, *arguments, **options):
            if cell.pattern == "AMS" and progress.step.step == 18:
                raise ProxyFailed("the loss of AMS must stay below 22")
            yield progress

    sound: Callable[..., Iterator[Progress]] = cell_task.train_cell
    monkeypatch.setattr(cell_task, "train_cell", diverge)
    assert train(tmp_path) == 2
    found = {(row["label"], row["size"], row["tokens"]): row for row in rows_of(tmp_path)}
    failed = [key for key, row in found.items() if row["status"] == "failed"]
    assert failed == [("1A1M1S", "w16", "320"), ("1A1M1S", "w32", "320")]
    assert found[failed[0]]["note"].startswith("the loss of AMS") and not found[failed[0]]["loss"]
    monkeypatch.setattr(cell_task, "train_cell", sound)
    assert train(tmp_path) == 0
    assert rows_of(tmp_path) == rows_of(finished)


def test_budgets_in_flops_and_per_parameter_become_tokens(tmp_path: Path) -> None:
    flops = 6 * (2 * 2 * 16 * 64 + 16 * 256)  # of a token of 2M at w16, see above
    given = ["patterns=[2M]", "sizes=[w16]", f"budgets=[{flops * 160},{flops * 322}]"]
    assert train(tmp_path, "unit=flops", *given) == 0
    assert [row["tokens"] for row in rows_of(tmp_path)] == ["160", "320"]  # steps of 16 tokens
    given = ["patterns=[2M]", "sizes=[w16]", "budgets=[0.01]", "name=h"]
    assert train(tmp_path, "unit=tokens_per_parameter", *given) == 0
    (row,) = csv.DictReader((tmp_path / "h" / "scale.csv").read_text().splitlines())
    assert int(row["tokens"]) == 288  # 0.01 x 28,672 = 286.7, to the nearest step


def test_all_patterns_of_a_size_take_the_best_rate_of_the_sweep(tmp_path: Path) -> None:
    given = ["sizes=[w16]", "budgets=[160]", "sweep=[1e-6,1]"]
    assert train(tmp_path, *given) == 0
    header = json.loads((tmp_path / "g" / "scale.json").read_text())
    none, all_of_it = header["sweep"]
    assert all_of_it["chosen"] and not none["chosen"] and all_of_it["loss"] < none["loss"]
    rate = header["sizes"][0]["train"]["learning_rate"]
    assert (
        rate == all_of_it["learning_rate"] == pytest.approx(1e6 * none["learning_rate"], rel=0.01)
    )
    trained = {
        json.loads(file.read_text())["settings"]["learning_rate"]
        for file in (tmp_path / "g" / "cells").rglob("cell.json")
    }
    assert trained == {rate}


def test_a_plan_trains_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "plan=true") == 0
    assert list(tmp_path.iterdir()) == []
    assert "4 of 4 trainings to do" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["sizes=[w17]"], "no size is called 'w17'; nearest: w16"),
        (["preset=laddr"], "no preset is called 'laddr'; nearest: ladder"),
        (["patterns=[AXM]"], "letters at scale are A, M, S, got 'X'"),
        (["patterns=[Lama 3.2]"], "no pattern is called 'Lama 3.2'; nearest: Llama 3.2"),
        (["patterns=[]"], "patterns must hold at least one"),
        (["patterns=[20A20M]", "extrapolate=stretch"], "no stretch has 16"),
        (["patterns=[3A2M]", "extrapolate=stretch"], "no stretch of 3A2M has 16 layers"),
        (["sizes=[350M]", "patterns=[90A90M]", "extrapolate=stack"], "no stack reaches"),
        (["budgets=[20]"], "a budget must have more steps than warm-up"),
        (["deciles=2", "landscape=quick"], "landscape must know true scores"),
        (["aggregates=[nowhere]"], "nasarena aggregate nowhere writes it"),
        (["train.micro_batch=3"], "micro_batch must divide batch_size"),
        (["data.length=100_000_000"], "give more text or a smaller length"),
        (["seeds=0"], "seeds must be at least 1"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_a_line(
    changes: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, *changes) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_other_settings_or_code_is_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["sizes=[w16]", "patterns=[2M]"]
    assert train(tmp_path, *given, "budgets=[160]") == 0
    before = rows_of(tmp_path)
    capsys.readouterr()
    assert train(tmp_path, *given, "train.learning_rate=0.1") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "was made with other settings" in line and "learning_rate" in line
    (header,) = tmp_path.rglob("cell.json")
    identity = json.loads(header.read_text())
    header.write_text(json.dumps({**identity, "code": "0123"}))
    assert train(tmp_path, *given) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "code must be that of" in line
    assert rows_of(tmp_path) == before
