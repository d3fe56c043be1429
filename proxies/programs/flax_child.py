"""A process of a trial whose program is in JAX: trains, or answers; runs in a sandbox.

    python -I flax_child.py

As `train_child.py`, or, where the task comes with weights, as `score_child.py`: the same words and
bytes. It imports nothing of ours. A frame of ours stands around the program; what it defines is
called here. The frame compiles a step before the training begins, as PyTorch's imports are free.
"""

import json
import os
import sys
import time
from typing import Any

# Read when JAX is imported: one thread, as PyTorch has.
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_TRACEBACK_FILTERING"] = "off"  # else its last line is about itself
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import flax.linen  # noqa: E402, F401
import numpy as np  # noqa: E402
import optax  # noqa: E402, F401
from flax.traverse_util import flatten_dict, unflatten_dict  # noqa: E402
from safetensors.numpy import load, save_file  # noqa: E402

WEIGHTS = "weights.safetensors"


class Clock:
    """What is left of a budget; of steps, one is over each time that it is asked for."""

    def __init__(self, seconds: float, steps: int | None) -> None:
        self._seconds, self._steps, self._num_steps = seconds, steps, -1
        self._start = time.monotonic()

    def progress(self) -> float:
        """From 0 to 1, and above where the budget is overdrawn."""
        if self._steps is not None:
            return max(0, self._num_steps) / self._steps
        return (time.monotonic() - self._start) / self._seconds

    def seconds_left(self) -> float:
        """Asked once before each step."""
        self._num_steps += 1
        return self._seconds * (1.0 - self.progress())


def read_exactly(size: int) -> bytes:
    """So many bytes of standard input; fewer where it has ended."""
    return sys.stdin.buffer.read(size)


def write_all(stream: int, data: bytes | memoryview) -> None:
    """Write to a pipe until everything is written."""
    view = memoryview(data)
    while view:
        view = view[os.write(stream, view) :]


def load_frame(source: bytes, frame: bytes) -> dict[str, Any]:
    """The names of the frame, around what a program defines."""
    names: dict[str, Any] = {"__name__": "program"}
    exec(compile(source, "program.py", "exec"), names)
    given = {"build": names["build"], "SETTINGS": names.get("SETTINGS", {})}
    outer: dict[str, Any] = {"__name__": "frame", **given}
    exec(compile(frame, "frame.py", "exec"), outer)
    return outer


def train(say: int, task: dict[str, Any], frame: dict[str, Any]) -> None:
    """Leaves the weights in the working folder."""
    trainer = frame["Trainer"](task["vocab_size"], task["seed"])
    kept, most = flatten_dict(trainer.variables, sep="/"), task["most_numbers"]
    count = sum(int(np.size(one)) for one in kept.values())
    if most is not None and count > most:
        raise ValueError(f"{count} parameters and buffers, more than the {most} allowed")
    trainer.compile()
    os.write(say, b"training\n")
    clock = Clock(task["seconds"], task["steps"])
    trainer.train(np.frombuffer(read_exactly(task["data"]), dtype=np.uint8), clock)
    found = flatten_dict(trainer.variables, sep="/")
    save_file({name: np.ascontiguousarray(one) for name, one in found.items()}, WEIGHTS)


def answer(say: int, task: dict[str, Any], frame: dict[str, Any], weights: bytes) -> None:
    """Logits for each batch of tokens, until the inputs end."""
    variables = unflatten_dict(load(weights), sep="/")
    shape = task["batch"], task["width"]
    model = frame["make_answers"](task["vocab_size"], variables)
    model(np.zeros(shape, dtype=np.int32))  # compiles
    os.write(say, b"built\n")
    while len(data := read_exactly(4 * shape[0] * shape[1])) == 4 * shape[0] * shape[1]:
        logits = model(np.frombuffer(data, dtype=np.int32).reshape(shape))
        values = np.ascontiguousarray(np.asarray(logits, dtype=np.float32))
        facts = {"shape": list(values.shape), "dtype": str(logits.dtype)}
        write_all(say, json.dumps(facts).encode() + b"\n")
        write_all(say, values.tobytes())


def main() -> None:
    """One training, or the answers of one model."""
    say = os.dup(1)
    os.dup2(2, 1)  # what a program prints is a log
    os.write(say, b"ready\n")
    task = json.loads(sys.stdin.buffer.readline())
    source, frame = read_exactly(task["source"]), read_exactly(task["frame"])
    if "weights" in task:
        weights = read_exactly(task["weights"])
        answer(say, task, load_frame(source, frame), weights)
    else:
        train(say, task, load_frame(source, frame))
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
