"""Two processes that train one model train as one does, and each goes on from the other's state."""

import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from joint_training import launch

from fakes import full_disk
from nasarena.proxies.data.task import IGNORE
from nasarena.proxies.data.text_data import ByteText
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.scaled.cell_folder import CellFolder, StepRecord, read_losses, read_results
from nasarena.proxies.scaled.checkpoint import load_checkpoint
from nasarena.proxies.scaled.distributed.ranks import ALONE, Ranks
from nasarena.proxies.scaled.distributed.sharded_engine import share_of
from nasarena.proxies.scaled.scaled_settings import ScaledSettings
from nasarena.proxies.scaled.shape import scaled_shape
from nasarena.proxies.scaled.train_state import train_batch
from nasarena.proxies.scaled.training import Cell, train_cell
from nasarena.search.errors import NasArenaError, ProxyFailed

TASK = ByteText(length=12)
PROXY = ModelShape(width=8, num_heads=2, mamba_heads=2, mamba_state=2)
# A batch of three does not divide by two, and a step has parts.
SETTINGS = ScaledSettings(batch_size=3, micro_batch=1, warmup_steps=3, num_eval=5)
CELL = Cell("AMS", scaled_shape(PROXY, 256), SETTINGS, 0, TASK)
BUDGETS = [10 * CELL.tokens_per_step, 20 * CELL.tokens_per_step]
NUM_STEPS = 16 + 2 + 4  # trunk, and two decays


def train(ranks: Ranks, folder: Path, cell: Cell = CELL, stop: int | None = None) -> int:
    """Steps that were trained, all or the first `stop` of those that are missing."""
    steps = train_cell(cell, BUDGETS, folder, checkpoint_every=3, engine="torch", ranks=ranks)
    for number, _ in enumerate(steps, 1):
        if number == stop:
            steps.close()
            return number
    return NUM_STEPS


def say_error(ranks: Ranks, folder: Path, cell: Cell = CELL) -> str:
    """What training raises."""
    try:
        train(ranks, folder, cell)
    except NasArenaError as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def refuse_records(ranks: Ranks, folder: Path) -> str:
    """As on a disk that is full at the rank that writes."""

    def refuse(self: CellFolder, step: StepRecord) -> None:
        raise ProxyFailed(f"cannot write to {self.path}: No space left on device")

    kept = CellFolder.record
    CellFolder.record = refuse  # type: ignore[method-assign]
    try:
        return say_error(ranks, folder)
    finally:
        CellFolder.record = kept  # type: ignore[method-assign]


def fill_disk(ranks: Ranks, folder: Path) -> str:
    """The disk of the second process has no more room for its part of a checkpoint."""
    with full_disk(5000) if ranks.rank == 1 else nullcontext():
        return say_error(ranks, folder)


def act_all(
    ranks: Ranks, acts: Sequence[tuple[Callable[..., object], tuple[object, ...]]]
) -> list[object]:
    """One after the other in the same processes, for starting these takes longest."""
    return [act(ranks, *arguments) for act, arguments in acts]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    train(ALONE, folder)
    return folder


def numbers_of(folder: Path) -> list[float]:
    """Losses, rates and gradients' norms of all steps, and held-out losses."""
    steps = sorted(read_losses(folder), key=lambda step: (step.part, step.step))
    assert [(step.part, step.step) for step in steps] == [
        *(("decay-10", step) for step in (9, 10)),
        *(("decay-20", step) for step in (17, 18, 19, 20)),
        *(("trunk", step) for step in range(1, 17)),
    ]
    values = [value for step in steps for value in (step.loss, step.rate, step.norm or 0.0)]
    return [*values, *(result.loss for result in read_results(folder))]


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory, alone: Path) -> Path:
    """Folders of what two processes did: see the tests."""
    root = tmp_path_factory.mktemp("together")
    train(ALONE, root / "taken-over", stop=12)
    acts = [
        (train, (root / "all",)),
        (train, (root / "handed-over", CELL, 12)),
        (train, (root / "taken-over",)),
    ]
    assert launch(2, act_all, acts)[1] == [NUM_STEPS, 12, NUM_STEPS]
    return root


def test_two_processes_train_as_one(together: Path, alone: Path) -> None:
    assert numbers_of(together / "all") == pytest.approx(numbers_of(alone), abs=1e-5)
    one, two = (
        load_checkpoint(place / "final-20.safetensors") for place in (alone, together / "all")
    )
    assert two.identity == one.identity and two.tensors.keys() == one.tensors.keys()
    for name, tensor in one.tensors.items():
        torch.testing.assert_close(two.tensors[name], tensor, atol=1e-5, rtol=0)
    assert not list((together / "all").glob("decay*"))


def test_one_process_goes_on_where_two_stopped(together: Path, alone: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cell"
    shutil.copytree(together / "handed-over", folder)
    before = (folder / "losses.jsonl").read_bytes()
    assert not (folder / "trunk.safetensors").exists()
    train(ALONE, folder)
    again = (folder / "losses.jsonl").read_bytes()[len(before) :].count(b"\n")
    assert again <= NUM_STEPS - 12 + 3  # three steps lie between two checkpoints
    assert numbers_of(folder) == pytest.approx(numbers_of(alone), abs=1e-5)
    assert not (folder / "trunk.shards").exists()


def test_two_processes_go_on_where_one_stopped(together: Path, alone: Path) -> None:
    folder = together / "taken-over"
    assert numbers_of(folder) == pytest.approx(numbers_of(alone), abs=1e-5)
    assert len((folder / "losses.jsonl").read_bytes().splitlines()) <= NUM_STEPS + 3
    assert not (folder / "trunk.safetensors").exists()
    assert [one.name for one in (folder / "trunk.shards").iterdir()] == ["step-16"]


def test_what_goes_wrong_at_one_process_every_process_says(
    together: Path, alone: Path, tmp_path: Path
) -> None:
    torn, flipped, full, diverges = (tmp_path / name for name in ("t", "f", "d", "l"))
    for folder in (torn, flipped, full):
        shutil.copytree(together / "handed-over", folder)
    (file,) = torn.rglob("__1_0.distcp")
    file.write_bytes(file.read_bytes()[:-100])
    (file,) = flipped.rglob("__0_0.distcp")
    content = file.read_bytes()
    file.write_bytes(content[:-100] + bytes([content[-100] ^ 1]) + content[-99:])
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.shards/step-9/*")}
    assert len(before) == 3 * 4  # header, metadata, and a file of each process
    wild = replace(CELL, settings=replace(SETTINGS, learning_rate=1e4, warmup_steps=3, clip=None))
    acts = [
        (say_error, (torn,)),
        (say_error, (flipped,)),
        (refuse_records, (full,)),
        (fill_disk, (full,)),
        (say_error, (full, replace(CELL, seed=1))),
        (say_error, (diverges, wild)),
    ]
    first, second = launch(2, act_all, acts)
    assert first == second
    assert not any("\n" in line for line in first)
    for line, words in zip(
        first,
        [
            "ProxyFailed: .*no whole checkpoint: __1_0.distcp is not what was written; remove it",
            "ProxyFailed: .*no whole checkpoint: __0_0.distcp is not what was written; remove it",
            "ProxyFailed: cannot write to .*: No space left",
            "ProxyFailed: cannot write .*trunk.shards: .*File too large.*checkpoint before is kept",
            "InvalidSetting: seed must be that of",
            "ProxyFailed: the loss of AMS must stay below",
        ],
        strict=True,
    ):
        assert re.match(words, line), line
    assert {file: file.read_bytes() for file in before} == before
    with pytest.raises(ProxyFailed, match="no whole checkpoint"):  # one process says the same
        train(ALONE, torn)
    train(ALONE, full)
    assert numbers_of(full) == pytest.approx(numbers_of(alone), abs=1e-5)


def test_shares_of_a_batch_are_the_batch() -> None:
    batch = train_batch(TASK, 0, 0, 5)
    shares = [share_of(batch, Ranks(rank, 3)) for rank in range(3)]
    assert [share.inputs.shape for share in shares] == [(2, 12)] * 3
    assert (np.concatenate([share.inputs for share in shares])[:5] == batch.inputs).all()
    targets = np.concatenate([share.targets for share in shares])
    assert (targets[:5] == batch.targets).all() and (targets[5:] == IGNORE).all()
