"""One trial of a script that the catalogue wrote, in two processes, neither of which sees what it
is scored on.

The first builds and trains, and leaves weights behind. The second, which never saw the first,
builds again, loads them and answers logits for inputs that come through a pipe. This process alone
holds the targets and the clock of last resort, and works out bits per byte.

Both are forks of this one, which has imported torch and computed nothing: a few milliseconds each,
where a sandbox with an interpreter of its own takes seconds. They bound time and keep state apart,
and they are no sandbox: code of anybody else's is for `nasarena.proxies.programs.judge`.
"""

import io
import os
import select
import signal
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
import torch._dynamo  # optimizers load it when first used, a second in every fork that lacks it
from numpy.typing import NDArray
from safetensors.torch import load, save

from nasarena.proxies.autoresearch.clocks import ClockKind, make_clock
from nasarena.search.seeding import stream

VOCAB_SIZE = 256
_LENGTH = struct.Struct("<q")
_GRACE_S = 20.0  # beyond twice the training time, for building, loading and a busy machine
_MOST_BYTES = 1 << 28  # of an answer


@dataclass(frozen=True, slots=True)
class ForkTask:
    """What a script is trained and scored on.

    `train` are bytes, shape `(num_bytes,)`; `windows` those it is scored on, shape
    `(num_windows, length + 1)`. `amount` is the time by the clock of this kind.
    """

    train: NDArray[np.uint8]
    windows: NDArray[np.uint8]
    clock: ClockKind
    amount: float

    @property
    def length(self) -> int:
        return int(self.windows.shape[1]) - 1


@dataclass(frozen=True, slots=True)
class ForkVerdict:
    """`score` is minus bits per byte, None unless `ok`; `seconds` are those of both processes."""

    score: float | None
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    note: str = ""
    status: Literal["ok", "failed"] = "ok"


def judge_in_forks(source: str, task: ForkTask, seed: int) -> ForkVerdict:
    """Train the script and score it. Whatever it does, there is a verdict."""
    start = time.monotonic()
    limit_s = (2 * task.amount if task.clock != "steps" else 60.0) + _GRACE_S
    try:
        weights = _in_process(lambda: _train(source, task, seed), limit_s)
        inputs = torch.from_numpy(task.windows[:, :-1].astype(np.int64))
        answer = _in_process(lambda: _answer(source, weights, inputs, seed), limit_s)
        bits = _bits_per_byte(answer, task)
    except _Broken as error:
        return ForkVerdict(None, {}, time.monotonic() - start, str(error), "failed")
    return ForkVerdict(-bits, {"bits_per_byte": bits}, time.monotonic() - start)


def draw_windows(
    text: NDArray[np.uint8], count: int, length: int, run: int, split: str
) -> NDArray[np.uint8]:
    """Random windows, shape `(count, length + 1)`, the same for every candidate of a run."""
    starts = stream(run, "windows", split).integers(len(text) - length - 1, size=count)
    return np.stack([text[start : start + length + 1] for start in starts])


class _Broken(Exception):
    """What a script did wrong, in a line."""


def _train(source: str, task: ForkTask, seed: int) -> bytes:
    torch.manual_seed(seed)
    script = _load(source)
    model = script["build_model"](VOCAB_SIZE, task.length)
    tokens = torch.from_numpy(task.train.copy())
    with make_clock(task.clock, task.amount) as clock:
        script["train"](model, tokens, clock)
    # Tied weights are stored twice, for safetensors refuses shared memory.
    return save({name: value.detach().clone() for name, value in model.state_dict().items()})


def _answer(source: str, weights: bytes, inputs: torch.Tensor, seed: int) -> bytes:
    """Logits as single precision, [windows, length, vocabulary]."""
    torch.manual_seed(seed)
    model = _load(source)["build_model"](VOCAB_SIZE, inputs.shape[1])
    model.load_state_dict(load(weights))
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(part) for part in torch.split(inputs, 64)])
    buffer = io.BytesIO()
    np.save(buffer, logits.float().numpy(), allow_pickle=False)
    return buffer.getvalue()


def _load(source: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "candidate"}
    exec(compile(source, "candidate.py", "exec"), namespace)  # in a process of its own
    return namespace


def _bits_per_byte(answer: bytes, task: ForkTask) -> float:
    try:
        logits = np.load(io.BytesIO(answer), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise _Broken("the answer holds no logits") from error
    wanted = (len(task.windows), task.length, VOCAB_SIZE)
    if logits.shape != wanted or not np.isfinite(logits).all():
        raise _Broken(f"logits must be finite and of shape {wanted}, got {logits.shape}")
    targets = torch.from_numpy(task.windows[:, 1:].astype(np.int64)).flatten()
    flat = torch.from_numpy(logits).flatten(0, 1).double()
    loss = torch.nn.functional.cross_entropy(flat, targets)
    return float(loss) / float(np.log(2))


def _in_process(work: Callable[[], bytes], limit_s: float) -> bytes:
    """What `work` returns in a fork. Raises _Broken for an exception there, or no answer."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        _work(work, write_end)
    os.close(write_end)
    try:
        kind, content = _read(read_end, time.monotonic() + limit_s)
    finally:
        os.close(read_end)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    if kind != b"+":
        raise _Broken(content.decode("utf-8", "replace") or "it ended without a result")
    return content


def _work(work: Callable[[], bytes], write_end: int) -> None:
    """In the fork: never returns."""
    try:
        os.setsid()
        quiet = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(quiet, number)
        torch.set_num_threads(1)
        try:
            message = b"+" + work()
        except BaseException as error:
            words = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            message = b"-" + words.encode("utf-8", "replace")
        message = _LENGTH.pack(len(message)) + message
        while message:
            message = message[os.write(write_end, message) :]
    finally:
        os._exit(0)


def _read(end: int, deadline: float) -> tuple[bytes, bytes]:
    content = b""
    parts = list[bytes]()
    size, wanted = 0, _LENGTH.size
    while size < wanted:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([end], [], [], left)[0]:
            raise _Broken("it did not end in time")
        part = os.read(end, 1 << 20)
        if not part:
            raise _Broken("it ended without a result")
        parts.append(part)
        size += len(part)
        if wanted == _LENGTH.size and size >= wanted:
            content = b"".join(parts)
            wanted += _LENGTH.unpack(content[: _LENGTH.size])[0]
            if not _LENGTH.size < wanted < _MOST_BYTES:
                raise _Broken("it answered too much")
    content = b"".join(parts)[_LENGTH.size :]
    return content[:1], content[1:]
