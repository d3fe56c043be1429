"""A second process of a trial: runs in a sandbox of its own and answers inputs with logits.

    python -I score_child.py

Says `ready`, reads the task, the program and its weights from standard input, says `built`, and
then answers each batch of tokens, int32 `[batch, width]`, with a line that gives shape and type and
the logits, float32 `[batch, ...]`. Never sees a target.
"""

import json
import os
import sys
from typing import Any

import torch
from safetensors.torch import load_model


def read_exactly(size: int) -> bytes:
    """So many bytes of standard input; none where it has ended."""
    return sys.stdin.buffer.read(size)


def write_all(stream: int, data: bytes | memoryview) -> None:
    """Write to a pipe until everything is written."""
    view = memoryview(data)
    while view:
        view = view[os.write(stream, view) :]


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


def main() -> None:
    """Answers until the inputs end."""
    say = os.dup(1)
    os.dup2(2, 1)
    os.write(say, b"ready\n")
    task = json.loads(sys.stdin.buffer.readline())
    source, frame = read_exactly(task["source"]), read_exactly(task["frame"])
    weights = read_exactly(task["weights"])
    with open("weights.safetensors", "wb") as file:
        file.write(weights)
    torch.set_num_threads(task["num_threads"])
    torch.manual_seed(task["seed"])
    model = load_program(source, frame)["build_model"](task["vocab_size"], task["length"])
    load_model(model, "weights.safetensors")
    device = "cuda" if task["has_gpu"] else "cpu"
    model = model.to(device).eval()
    os.write(say, b"built\n")
    size = task["batch"] * task["width"] * 4
    while len(data := read_exactly(size)) == size:
        tokens = torch.frombuffer(bytearray(data), dtype=torch.int32).long()
        with torch.no_grad():
            logits = model(tokens.view(task["batch"], task["width"]).to(device))
        values = logits.detach().float().cpu().contiguous()
        facts = {"shape": list(values.shape), "dtype": str(logits.dtype)}
        write_all(say, json.dumps(facts).encode() + b"\n")
        write_all(say, values.numpy().tobytes())
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
