"""Does a `kill -9` change a loss? A training at scale is killed at random moments, and compared.

Through torch and by the CPU's kernels: a process trains a cell, is killed after a random number of
steps and milliseconds, and started again until the cell is finished. Losses, gradient norms and
results must be those of the undisturbed training to the last bit, and no more steps may have been
trained again than lie between two checkpoints.

    python -m nasarena.experiments.measure.scaling.resume [--save]
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nasarena.experiments.measure.record import record
from nasarena.proxies.data.text_data import ByteText
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.native.library import native_library
from nasarena.proxies.scaled.cell_folder import StepRecord, read_losses, read_results
from nasarena.proxies.scaled.scaled_settings import ScaledSettings
from nasarena.proxies.scaled.shape import scaled_shape
from nasarena.proxies.scaled.training import Cell, train_cell
from nasarena.search.seeding import stream

KILLS = 20  # of each engine
_EVERY = 5  # steps between checkpoints
_STEPS = (60, 120)  # of two budgets
_LATEST_S = 0.2  # after the step at which a kill is due
_MODULE = "nasarena.experiments.measure.scaling.resume"
_ENTRY = f"from {_MODULE} import train; import sys; train(sys.argv[1], sys.argv[2])"


@dataclass
class Tally:
    """How often a training was killed, and what it cost."""

    kills: int = 0
    identical: int = 0  # kills of cells that came to the losses of the undisturbed one
    most_repeated: int = 0  # steps that one kill made be trained again


def measure() -> None:
    """Kill, print, and keep if asked to."""
    engines = ["torch"] + (["native"] if native_library() else [])
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        for engine in engines:
            tally = strike(engine, Path(name) / engine, KILLS)
            rows.append({"engine": engine, **vars(tally)})
    kills, identical = (sum(row[key] for row in rows) for key in ("kills", "identical"))
    most = max(row["most_repeated"] for row in rows)
    record(
        "scale_resume",
        rows,
        {"kills": kills, "identical": identical, "most_repeated": most},
        module="scaling.resume",
    )


def train(folder: Path | str, engine: str) -> None:
    """Train what is missing of the cell that is killed."""
    task = ByteText(length=32)
    settings = ScaledSettings(batch_size=4, warmup_steps=5, num_eval=8)
    cell = Cell("SMAMSM", scaled_shape(ModelShape(), task.vocab_size), settings, 0, task)
    budgets = [steps * cell.tokens_per_step for steps in _STEPS]
    for _ in train_cell(cell, budgets, Path(folder), checkpoint_every=_EVERY, engine=engine):
        pass


def strike(engine: str, folder: Path, num_kills: int) -> Tally:
    """Cells, each killed some times and then trained to its end, until there were enough kills."""
    peace = folder / "peace"
    train(peace, engine)
    tally, rng = Tally(), stream(0, "kills", engine)
    while tally.kills < num_kills:
        struck = folder / f"struck-{tally.kills}"
        before = tally.kills
        for step in np.sort(rng.integers(0, 130, 5)).tolist():
            tally.kills += kill(engine, struck, step, rng.uniform(0, _LATEST_S))
        train(struck, engine)
        tally.most_repeated = max(tally.most_repeated, most_repeated_in(struck))
        if _outcome(struck) == _outcome(peace):
            tally.identical += tally.kills - before
    return tally


def kill(engine: str, folder: Path, step: int, delay_s: float) -> int:
    """Train in a process of its own and kill it; 1 where it had not come to its end before.

    Raises RuntimeError where it ended in another way.
    """
    losses = folder / "losses.jsonl"
    with subprocess.Popen([sys.executable, "-c", _ENTRY, str(folder), engine]) as process:
        while process.poll() is None and _num_lines(losses) <= step:
            time.sleep(0.0005)
        time.sleep(delay_s)
        process.kill()
    if process.returncode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"a training ended with code {process.returncode}")
    return int(process.returncode != 0)


def _num_lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else -1


def most_repeated_in(folder: Path) -> int:
    """The most steps that stood in the record before and that one start trained again."""
    seen: set[tuple[str, int]] = set()
    last: dict[str, int] = {}  # since the newest start, by part
    run = most = 0
    for line in (folder / "losses.jsonl").read_text().splitlines():
        step = json.loads(line)
        key = part, number = step["part"], step["step"]
        if number <= last.get(part, -1):  # a start: what a kill before it cost is counted
            last, run = {}, 0
        run = run + 1 if key in seen else 0
        seen.add(key)
        last[part], most = number, max(most, run)
    return most


def _outcome(folder: Path) -> tuple[Sequence[StepRecord], Sequence[object]]:
    """Losses without times, and results."""
    steps = [replace(step, tokens_per_s=0.0) for step in read_losses(folder)]
    return sorted(steps, key=lambda step: (step.part, step.step)), read_results(folder)


if __name__ == "__main__":
    measure()
