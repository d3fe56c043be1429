"""Does an export say what the model says? Log-probabilities of transformers against ours.

A model with attention, MLP and Mamba-2 is trained for some steps, exported by the command, loaded
by `AutoModelForCausalLM`, and read on held-out text, on the CPU in float32.

    python -m nasarena.experiments.measure.scaling.exports [--save]
"""

import tempfile
from pathlib import Path
from typing import Any

import torch

from nasarena.experiments.commands.cli import main
from nasarena.experiments.measure.record import record
from nasarena.proxies.data.text_data import ByteText
from nasarena.proxies.scaled.saved_model import find_checkpoint, load_model
from nasarena.proxies.scaled.scaled_settings import ScaledSettings
from nasarena.proxies.scaled.shape import ScaledShape
from nasarena.proxies.scaled.training import Cell, train_cell

SHAPE = ScaledShape(
    width=64, num_heads=4, num_kv_heads=2, head_dim=16, mlp="relu2", mlp_hidden=256, mamba_heads=8,
    mamba_head_dim=16, mamba_state=16, mamba_groups=2, vocab_size=256, rotary=False,
)  # fmt: skip
PATTERNS = ("SMAMSMAM", "AMAMAM", "SSAS")
_LENGTH, _SEQUENCES, _STEPS = 300, 8, 40  # more positions than a chunk of theirs, 128, and of ours


def measure() -> None:
    """Train, export, compare, print, and keep if asked to."""
    with tempfile.TemporaryDirectory() as name:
        rows = [compare(pattern, Path(name) / pattern) for pattern in PATTERNS]
    worst = max(row["largest_difference"] for row in rows)
    summary = {"largest_difference": worst, "tokens": sum(row["tokens"] for row in rows)}
    record("export", rows, summary, module="scaling.exports")


def compare(pattern: str, folder: Path) -> dict[str, Any]:
    """The largest difference of a log-probability, over all tokens that could come next."""
    from transformers import AutoModelForCausalLM

    task = ByteText(length=_LENGTH)
    settings = ScaledSettings(batch_size=4, warmup_steps=5, num_eval=_SEQUENCES)
    cell = Cell(pattern, SHAPE, settings, 0, task)
    for _ in train_cell(cell, [_STEPS * cell.tokens_per_step], folder / "cell"):
        pass
    if main(["export", str(folder / "cell"), str(folder / "exported")]):
        raise RuntimeError(f"{pattern} could not be exported")
    theirs: Any = AutoModelForCausalLM.from_pretrained(folder / "exported")
    ours, _ = load_model(find_checkpoint(folder / "cell"))
    tokens = torch.from_numpy(task.sample(0, "held_out", _SEQUENCES).inputs)
    with torch.no_grad():
        difference = theirs(tokens).logits.log_softmax(-1) - ours(tokens).log_softmax(-1)
    largest = float(difference.abs().max())
    return {"pattern": pattern, "tokens": tokens.numel(), "largest_difference": largest}


if __name__ == "__main__":
    measure()
