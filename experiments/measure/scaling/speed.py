"""How fast a model of 10 million parameters trains: ours against NemotronH of transformers.

The same pattern at the same sizes, forward, backward and AdamW on the same tokens, one thread, step
by step in turn; medians are compared. Ours through torch and by the CPU's kernels; transformers
with what it finds by itself, which on a CPU are plain torch functions. The share of the peak is
that of the fastest matrix products at hand (execution/peaks.py).

    python -m nasarena.experiments.measure.scaling.speed [--save]
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

from nasarena.experiments.execution.peaks import matmul_flops, native_matmul_flops
from nasarena.experiments.measure.engine.transformers_baseline import nemotron
from nasarena.experiments.measure.record import record
from nasarena.proxies.data.task import Batch
from nasarena.proxies.data.text_data import ByteText
from nasarena.proxies.models.flops import SequenceShape, forward_flops, num_parameters
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.native.library import native_library
from nasarena.proxies.scaled.engine_choice import Engine, begin_state
from nasarena.proxies.scaled.model import next_token_loss
from nasarena.proxies.scaled.scaled_settings import ScaledSettings
from nasarena.proxies.scaled.shape import scaled_shape
from nasarena.proxies.scaled.train_state import train_batch

PATTERN = "SMAM" * 6
SHAPE = ModelShape(
    width=256, num_heads=4, num_kv_heads=2, mlp="relu2", mamba_heads=8, mamba_state=32,
    rotary=False,
)  # fmt: skip
LENGTH, BATCH, REPEATS = 256, 4, 7
_CPU = torch.device("cpu")
Step = Callable[[Batch], object]


def measure() -> None:
    """Time, print, and keep if asked to."""
    torch.set_num_threads(1)
    task = ByteText(length=LENGTH)
    batches = [train_batch(task, 0, step, BATCH) for step in range(REPEATS + 1)]
    steps: dict[str, Step] = {"torch": ours("torch")}
    if native_library():
        steps["kernels"] = ours("native")
    steps["transformers"] = baseline()
    seconds = seconds_in_turn(steps, batches)
    sequence = SequenceShape(task.vocab_size, LENGTH)
    flops = 3 * BATCH * forward_flops(PATTERN, SHAPE, sequence)
    peak = max(matmul_flops(_CPU), native_matmul_flops())
    rows: list[dict[str, Any]] = [
        {
            "trained by": name,
            "tokens_per_s": BATCH * LENGTH / took,
            "ratio": seconds["transformers"] / took,
            "flops_utilization": flops / took / peak,
        }
        for name, took in seconds.items()
    ]
    best = max(rows, key=lambda row: float(row["ratio"]))
    summary = {
        "parameters": num_parameters(PATTERN, SHAPE, sequence),
        "ratio": best["ratio"],
        "ratio_torch": rows[0]["ratio"],
        "flops_utilization": best["flops_utilization"],
    }
    record("scale_speed", rows, summary, module="scaling.speed")


def seconds_in_turn(steps: dict[str, Step], batches: list[Batch]) -> dict[str, float]:
    """Median seconds of a step of each, the first step of each left out."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for batch in batches:
        for name, step in steps.items():
            start = time.perf_counter()
            step(batch)
            times[name].append(time.perf_counter() - start)
    return {name: median(each[1:]) for name, each in times.items()}


def ours(engine: Engine) -> Step:
    """A step of our training."""
    settings = ScaledSettings(batch_size=BATCH)
    shape = scaled_shape(SHAPE, 256)
    state = begin_state(PATTERN, shape, settings, 0, LENGTH, engine, _CPU, "float32")
    return lambda batch: state.advance(batch, 1e-3)


def baseline() -> Step:
    """A step of NemotronH with clipping and AdamW in its fused form."""
    model = nemotron(PATTERN, SHAPE, 256, LENGTH).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def step(batch: Batch) -> None:
        inputs, targets = torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)
        torch.autograd.backward(next_token_loss(model(inputs).logits, targets))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


if __name__ == "__main__":
    measure()
