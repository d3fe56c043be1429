"""Events of trainings for TensorBoard, read back with its own reader."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard.writer import SummaryWriter

from nasarena.experiments.commands.cli import main
from nasarena.experiments.grid import events
from nasarena.experiments.grid.cell_task import CellNews, CellTask
from nasarena.experiments.grid.cells import make_grid
from nasarena.experiments.grid.training import how_of
from nasarena.experiments.settings.commands import scale_settings
from nasarena.proxies.scaled.cell_folder import StepRecord, read_losses, read_results
from nasarena.search.errors import ProxyFailed

SETTINGS = [
    "patterns=[AM]", "sizes=[w16]", "budgets=[128,160]", "data.length=8", "train.batch_size=2",
    "train.warmup_steps=2", "train.num_eval=4", "checkpoint_every=3", "law.rate_power=0",
    "law.batch_power=0", "scores=[]", "report=false", "name=g", "workers=1", "tensorboard=true",
]  # fmt: skip
PLACE = Path("cells/w16/1A1M/seed-0")


def start(root: Path, peak: float | None = None, engine: str = "torch") -> Iterator[CellNews]:
    """The one training of the settings, in this process."""
    config = scale_settings([*SETTINGS, f"engine={engine}"])
    (cell,) = make_grid(config).cells
    return CellTask(cell, config.data, how_of(config, peak), root).steps()


def curves(folder: Path) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Steps and values by part and name."""
    found = {}
    for part in sorted(folder.iterdir()):
        reader = EventAccumulator(str(part)).Reload()
        found[part.name] = {
            name: [(event.step, event.value) for event in reader.Scalars(name)]
            for name in reader.Tags()["scalars"]
        }
    return found


def recorded(folder: Path, part: str) -> list[StepRecord]:
    return [step for step in read_losses(folder) if step.part == part]


def assert_all_told(root: Path) -> None:
    told = curves(root / "tensorboard" / PLACE)
    assert set(told) == {"trunk", "decay-8", "decay-10"}
    for part, values in told.items():
        steps = recorded(root / PLACE, part)
        assert [number for number, _ in values["loss"]] == [step.step for step in steps]
        for name, wanted in {
            "loss": [step.loss for step in steps],
            "learning_rate": [step.rate for step in steps],
        }.items():
            assert [value for _, value in values[name]] == pytest.approx(wanted, rel=1e-6)


def test_the_command_writes_a_curve_of_each_training(tmp_path: Path) -> None:
    assert main(["scale", *SETTINGS, f"folder={tmp_path}"]) == 0
    root = tmp_path / "g"
    assert_all_told(root)
    trunk = curves(root / "tensorboard" / PLACE)["trunk"]
    speeds = [value for _, value in trunk["tokens_per_s"]]
    assert speeds == pytest.approx([s.tokens_per_s for s in recorded(root / PLACE, "trunk")])
    used = [value for _, value in trunk["utilization"]]
    peaks = [speed / share for speed, share in zip(speeds, used, strict=True)]
    assert peaks == pytest.approx([peaks[0]] * len(peaks)) and 0 < max(used) < 1


def test_utilization_is_of_the_peak(tmp_path: Path) -> None:
    """6 FLOPs a multiply and token: A 4 x 16 x 16 weights and 2 x 8 x 16 products, M, head."""
    flops = 6 * (4 * 16 * 16 + 2 * 8 * 16 + 2 * 16 * 64 + 16 * 256)
    list(start(tmp_path, peak=1e9))
    trunk = curves(tmp_path / "tensorboard" / PLACE)["trunk"]
    for (_, speed), (_, used) in zip(trunk["tokens_per_s"], trunk["utilization"], strict=True):
        assert used == pytest.approx(speed * flops / 1e9, rel=1e-5)


@pytest.mark.parametrize("num_steps", [4, 8])
def test_a_stop_leaves_no_gap_and_no_step_twice(num_steps: int, tmp_path: Path) -> None:
    stopped = start(tmp_path)
    for _ in range(num_steps):
        next(stopped)
    stopped.close()  # type: ignore[attr-defined]
    for file in (tmp_path / "tensorboard").rglob("events*"):
        file.write_bytes(file.read_bytes()[:-20])  # what a kill had not written yet
    list(start(tmp_path))
    assert_all_told(tmp_path)


def test_a_full_disk_is_said_and_the_training_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(SummaryWriter, "add_scalar", refuse)
        with pytest.raises(ProxyFailed, match="cannot write events to .*: No space left"):
            list(start(tmp_path))
    list(start(tmp_path))
    assert_all_told(tmp_path)
    assert [result.steps for result in read_results(tmp_path / PLACE)] == [8, 10]


def test_without_the_package_it_is_said_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(events, "find_spec", lambda name: None)
    assert main(["scale", *SETTINGS, f"folder={tmp_path}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "needs the package tensorboard: pip install 'nasarena[tensorboard]'" in line
    assert list(tmp_path.iterdir()) == []
