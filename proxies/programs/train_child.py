"""The first process of a trial: runs in a sandbox, builds and trains what a program says.

    python -I train_child.py

Says `ready` when PyTorch is there, reads the task, the program and the training bytes from standard
input, says `training` when it has a model, and ends with the weights in its working folder. It
imports nothing of ours, which a program could then reach. Whatever a program does to this process,
it can only end with other weights: time and score are somebody else's.
"""

import json
import os
import sys
import time
from typing import Any

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

    def _count(self, *_: Any) -> None:
        self._num_steps += 1
        if self._steps is not None and self._num_steps > self._steps:
            raise OutOfTime(f"a step beyond the {self._steps} of the budget")


def read_exactly(size: int) -> bytes:
    """So many bytes of standard input."""
    data = sys.stdin.buffer.read(size)
    if len(data) != size:
        raise EOFError("the judge is gone")
    return data


def load_program(source: bytes) -> dict[str, Any]:
    """The names that a program defines."""
    names: dict[str, Any] = {"__name__": "program"}
    exec(compile(source, "program.py", "exec"), names)
    return names


def main() -> None:
    """One training."""
    say = os.dup(1)
    os.dup2(2, 1)  # what a program prints is a log
    os.write(say, b"ready\n")
    task = json.loads(sys.stdin.buffer.readline())
    source, data = read_exactly(task["source"]), read_exactly(task["data"])
    torch.set_num_threads(task["num_threads"])
    torch.manual_seed(task["seed"])
    program = load_program(source)
    model = program["build_model"](task["vocab_size"], task["length"])
    tokens = torch.frombuffer(bytearray(data), dtype=torch.uint8).long()
    os.write(say, b"training\n")
    program["train"](model, tokens, Clock(task["seconds"], task["steps"]))
    save_model(model.cpu(), WEIGHTS)
    sys.stderr.flush()
    os._exit(0)  # no exit hook, no thread that is still there


if __name__ == "__main__":
    main()
