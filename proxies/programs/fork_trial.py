"""One trial of a script that a catalogue wrote, in two processes, neither of which is told what it
is scored on.

The first builds and trains, and leaves weights behind. The second, which never saw the first,
builds again, loads them and answers logits for inputs that come through a pipe. This process alone
works with the targets and with the clock of last resort, and works out the score. Both are forks
(`forks.py`): for code of ours.
"""

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save

from nasarena.proxies.programs.clocks import ClockKind, make_clock
from nasarena.proxies.programs.conversation import Broken
from nasarena.proxies.programs.forks import run_in_fork

VOCAB_SIZE = 256
_GRACE_S = 20.0  # beyond twice the training time, for building and loading
_BUSY = 30.0  # a machine that others use takes as much longer; no modelled score may depend on it
# Logits `(num_inputs, *answer_shape)` -> the score, higher is better, and the metrics behind it.
Measure = Callable[[NDArray[np.float32]], tuple[float, Mapping[str, float]]]


@dataclass(frozen=True, slots=True)
class ForkTask:
    """What a script is trained on, asked and scored by.

    `train` are bytes, shape `(num_bytes,)`; `inputs` those that its model is asked about, shape
    `(num_inputs, num_bytes)`, and `answer_shape` is that of the logits for one of them. `length` is
    what `build_model` is told, `amount` the time by the clock of this kind. A model of more than
    `max_parameters` is refused before it is trained.
    """

    train: NDArray[np.uint8]
    inputs: NDArray[np.uint8]
    answer_shape: tuple[int, ...]
    measure: Measure
    clock: ClockKind
    amount: float
    length: int
    max_parameters: int | None = None


@dataclass(frozen=True, slots=True)
class ForkVerdict:
    """`score` is None unless `ok`; `seconds` are those of both processes."""

    score: float | None
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    note: str = ""
    status: Literal["ok", "failed"] = "ok"


def judge_in_forks(source: str, task: ForkTask, seed: int) -> ForkVerdict:
    """Train the script and score it. Whatever it does, there is a verdict."""
    start = time.monotonic()
    limit_s = _limit_s(task)
    try:
        weights = run_in_fork(lambda: _train(source, task, seed), limit_s)
        answer = run_in_fork(lambda: _answer(source, weights, task, seed), limit_s)
        score, metrics = task.measure(_read_logits(answer, task))
    except Broken as error:
        return ForkVerdict(None, {}, time.monotonic() - start, str(error), "failed")
    return ForkVerdict(score, metrics, time.monotonic() - start)


def _limit_s(task: ForkTask) -> float:
    """Wall seconds after which a process is ended, whatever its own clock says."""
    if task.clock == "steps":
        return 60.0 + task.amount + _GRACE_S
    return (2 if task.clock == "wall" else _BUSY) * task.amount + _GRACE_S


def _train(source: str, task: ForkTask, seed: int) -> bytes:
    torch.manual_seed(seed)
    script = load_script(source)
    model = script["build_model"](VOCAB_SIZE, task.length)
    if task.max_parameters is not None:
        count = sum(one.numel() for one in model.parameters())
        if count > task.max_parameters:
            raise ValueError(f"{count} parameters, more than the {task.max_parameters} allowed")
    tokens = torch.from_numpy(task.train.copy())
    with make_clock(task.clock, task.amount) as clock:
        script["train"](model, tokens, clock)
    # Tied weights are stored twice, for safetensors refuses shared memory.
    return save({name: value.detach().clone() for name, value in model.state_dict().items()})


def _answer(source: str, weights: bytes, task: ForkTask, seed: int) -> bytes:
    """Logits as single precision, [inputs, *answer shape]."""
    torch.manual_seed(seed)
    model = load_script(source)["build_model"](VOCAB_SIZE, task.length)
    model.load_state_dict(load(weights))
    model.eval()
    inputs = torch.from_numpy(task.inputs.astype(np.int64))
    with torch.no_grad():
        logits = torch.cat([model(part) for part in torch.split(inputs, 64)])
    buffer = io.BytesIO()
    np.save(buffer, logits.float().numpy(), allow_pickle=False)
    return buffer.getvalue()


def load_script(source: str) -> dict[str, Any]:
    """What the text of a program defines; it is run here, so it must be code of ours, or a fork."""
    namespace: dict[str, Any] = {"__name__": "candidate"}
    exec(compile(source, "candidate.py", "exec"), namespace)
    return namespace


def _read_logits(answer: bytes, task: ForkTask) -> NDArray[np.float32]:
    try:
        logits: NDArray[np.float32] = np.load(io.BytesIO(answer), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise Broken("the answer holds no logits") from error
    wanted = (len(task.inputs), *task.answer_shape)
    if logits.shape != wanted or not np.isfinite(logits).all():
        raise Broken(f"logits must be finite and of shape {wanted}, got {logits.shape}")
    return logits
