"""The first process of a trial: runs in a sandbox, builds and trains what a program says.

    python -I train_child.py

Says `ready` when PyTorch is there, reads the task and the program from standard input, says
`training` when it has a model, is given the training bytes, and ends with the weights in its
working folder. It imports nothing of ours, which a program could then reach. Whatever a program
does to this process, it can only end with other weights: time and score are somebody else's.
"""

import json
import os
import sys
import time
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch._dynamo  # the first step of an optimizer imports it, which takes seconds
from safetensors.torch import save_model
from torch.optim.optimizer import register_optimizer_step_pre_hook

WEIGHTS = "weights.safetensors"


class OutOfTime(Exception):
    """Raised by a step beyond a budget of steps."""


class Clock:
    """What is left of a budget. A courtesy to the program: its judge has a clock of his own."""

    def __init__(self, seconds: float, steps: int | None) -> None:
        self._seconds, self._steps = seconds, steps
        self._start = time.monotonic()
        self._num_steps = 0
        self._counts: WeakKeyDictionary[Any, int] = WeakKeyDictionary()  # by optimizer
        if steps is not None:
            register_optimizer_step_pre_hook(self._count)

    def progress(self) -> float:
        """From 0 to 1, and above where the budget is overdrawn."""
        if self._steps is not None:
            return self._num_steps / self._steps
        return (time.monotonic() - self._start) / self._seconds

    def seconds_left(self) -> float:
        """Seconds to the end of the budget; of a budget of steps its share of them."""
        return self._seconds * (1.0 - self.progress())

    def _count(self, optimizer: Any, *_: Any) -> None:
        """A program of two optimizers makes one step with both."""
        self._counts[optimizer] = self._counts.get(optimizer, 0) + 1
        self._num_steps = max(self._num_steps, self._counts[optimizer])
        if self._steps is not None and self._num_steps > self._steps:
            raise OutOfTime(f"a step beyond the {self._steps} of the budget")


def read_exactly(size: int) -> bytes:
    """So many bytes of standard input."""
    data = sys.stdin.buffer.read(size)
    if len(data) != size:
        raise EOFError("the judge is gone")
    return data


def load_program(source: bytes, frame: bytes) -> dict[str, Any]:
    """The names that a program defines; with a frame around it, those of the frame."""
    names: dict[str, Any] = {"__name__": "program"}
    exec(compile(source, "program.py", "exec"), names)
    if not frame:
        return names
    given = {"build": names["build"], "SETTINGS": names.get("SETTINGS", {})}
    outer: dict[str, Any] = {"__name__": "frame", **given}
    exec(compile(frame, "frame.py", "exec"), outer)
    return outer


def refuse_large(model: torch.nn.Module, most: int | None) -> None:
    """Before it is trained; what it leaves behind is counted by its judge again."""
    kept = {one.data_ptr(): one.numel() for one in model.state_dict().values()}
    if most is not None and sum(kept.values()) > most:
        count = sum(kept.values())
        raise ValueError(f"{count} parameters and buffers, more than the {most} allowed")


def main() -> None:
    """One training."""
    say = os.dup(1)
    os.dup2(2, 1)  # what a program prints is a log
    os.write(say, b"ready\n")
    task = json.loads(sys.stdin.buffer.readline())
    source, frame = read_exactly(task["source"]), read_exactly(task["frame"])
    torch.set_num_threads(task["num_threads"])
    torch.manual_seed(task["seed"])
    program = load_program(source, frame)
    model = program["build_model"](task["vocab_size"], task["length"])
    refuse_large(model, task["most_numbers"])
    os.write(say, b"training\n")
    tokens = torch.frombuffer(bytearray(read_exactly(task["data"])), dtype=torch.uint8)
    tokens = tokens if frame else tokens.long()
    program["train"](model, tokens, Clock(task["seconds"], task["steps"]))
    save_model(model.cpu(), WEIGHTS)
    sys.stderr.flush()
    os._exit(0)  # no exit hook, no thread that is still there


if __name__ == "__main__":
    main()
