"""Do two processes train as one, and go on where the other number of processes was killed?

`torchrun` starts two processes with gloo on the CPU, which train one model with FSDP2. Then one
cell is trained by two processes and by one in turn, each killed (`kill -9`, all of them at once) at
a random step, until there were enough kills. Losses, gradient norms and held-out losses are
compared with those of one process that nobody disturbs.

    python -m nasarena.experiments.measure.scaling.processes [--save]
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any

from nasarena.experiments.measure.record import record
from nasarena.experiments.measure.scaling.resume import most_repeated_in
from nasarena.proxies.data.text_data import ByteText
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.scaled.cell_folder import StepRecord, read_losses, read_results
from nasarena.proxies.scaled.distributed.ranks import ALONE, is_launched, join
from nasarena.proxies.scaled.scaled_settings import ScaledSettings
from nasarena.proxies.scaled.shape import scaled_shape
from nasarena.proxies.scaled.training import Cell, train_cell
from nasarena.search.seeding import stream

KILLS = 6
_EVERY = 5  # steps between checkpoints
_STEPS = (40, 80)  # of two budgets
_MODULE = "nasarena.experiments.measure.scaling.processes"


def measure() -> None:
    """Train in each way, compare, and keep if asked to."""
    with tempfile.TemporaryDirectory() as name:
        one, two, killed = (Path(name) / each for each in ("one", "two", "killed"))
        for folder, size in ((one, 1), (two, 2)):
            subprocess.run(command(folder, size), check=True)
        kills = strike(killed, KILLS)
        words = {"one process": one, "two processes": two, "two and one in turn, killed": killed}
        rows: list[dict[str, Any]] = [
            {
                "trained by": said,
                "kills": kills if folder == killed else 0,
                "tokens_per_s": median(step.tokens_per_s for step in read_losses(folder)),
                **differences(one, folder),
                "most_repeated": most_repeated_in(folder),
            }
            for said, folder in words.items()
        ]
    largest = max(value for row in rows for key, value in row.items() if "largest" in key)
    summary = {"largest": largest, "kills": kills}
    record("scale_processes", rows, summary, module="scaling.processes")


def train(folder: Path) -> None:
    """Train what is missing of the cell, by all processes that were started."""
    task = ByteText(length=64)
    settings = ScaledSettings(batch_size=8, warmup_steps=5, num_eval=16)
    shape = scaled_shape(ModelShape(width=64, mamba_heads=4), task.vocab_size)
    cell = Cell("SMAMSM", shape, settings, 0, task)
    budgets = [steps * cell.tokens_per_step for steps in _STEPS]
    with join() if is_launched() else nullcontext(ALONE) as ranks:
        for _ in train_cell(
            cell, budgets, folder, checkpoint_every=_EVERY, engine="torch", ranks=ranks
        ):
            pass


def command(folder: Path, num_processes: int) -> Sequence[str]:
    """What trains with so many processes."""
    work = ["-m", _MODULE, "--train", str(folder)]
    if num_processes == 1:
        return [sys.executable, *work]
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={num_processes}"]
    return [sys.executable, *launcher, *work]


def strike(folder: Path, num_kills: int) -> int:
    """Kill two processes and one in turn, each after some steps, then train to the end."""
    rng = stream(0, "kills", "processes")
    for number in range(num_kills):
        before = _num_lines(folder)
        kill(command(folder, 2 - number % 2), folder, before + int(rng.integers(6, 15)))
    subprocess.run(command(folder, 2 - num_kills % 2), check=True)
    return num_kills


def kill(words: Sequence[str], folder: Path, num_lines: int) -> None:
    """End all processes of a training at once, when it has recorded so many steps.

    Raises RuntimeError where it ended by itself before.
    """
    with subprocess.Popen(words) as process:
        while process.poll() is None and _num_lines(folder) < num_lines:
            time.sleep(0.001)
        if process.poll() is not None:
            raise RuntimeError(f"a training ended with code {process.returncode} before its kill")
        # torchrun gives each of its processes a group of its own.
        workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for pid in [process.pid, *map(int, workers)]:
            os.kill(pid, signal.SIGKILL)


def differences(one: Path, other: Path) -> dict[str, float]:
    """The largest between two folders of the same cell; of losses in nats."""
    first, second = (
        {(step.part, step.step): step for step in read_losses(folder)} for folder in (one, other)
    )
    if first.keys() != second.keys():
        raise RuntimeError(f"{other} has other steps than {one}")

    def largest(value: Callable[[StepRecord], float]) -> float:
        return max(abs(value(first[key]) - value(second[key])) for key in first)

    pairs = zip(read_results(one), read_results(other), strict=True)
    return {
        "largest_loss": largest(lambda step: step.loss),
        "largest_norm": largest(lambda step: step.norm or 0.0),
        "largest_held_out": max(abs(a.loss - b.loss) for a, b in pairs),
    }


def _num_lines(folder: Path) -> int:
    file = folder / "losses.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--train"]:
        train(Path(sys.argv[2]))
    else:
        measure()
