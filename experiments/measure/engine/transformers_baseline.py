"""The baseline for our engine: a pattern trained as a user of `transformers` would train it today.

`NemotronHForCausalLM` with the pattern's layers at our sizes, eager, one model after the other,
with whatever fast kernels it finds by itself; AdamW in its fused form, which is that library's own
default. Where the baseline has a choice it gets the better one: chunks of the scan no longer than
the sequence (its default pads 32 positions to 128), bfloat16 autocast on a GPU, batches made and
moved to the device beforehand, and its construction is not part of its time.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nasarena.experiments.execution.peaks import synchronize
from nasarena.proxies.data.task import IGNORE, Task, TaskSplit
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.training.train_settings import TrainSettings
from nasarena.search.notation import LETTERS

ACTIVATIONS = {"gelu": "gelu_pytorch_tanh", "relu2": "relu2"}
_CHUNK = 64


def nemotron(pattern: str, shape: ModelShape, vocab_size: int, length: int) -> Any:
    """`NemotronHForCausalLM` of the pattern at the sizes of `shape`; it has no SwiGLU."""
    from transformers import NemotronHConfig, NemotronHForCausalLM
    from transformers.utils import logging

    # On a CPU it warns that there are no kernels for one.
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]

    config = NemotronHConfig(
        vocab_size=vocab_size,
        hidden_size=shape.width,
        layers_block_type=[LETTERS[letter].transformers for letter in pattern],
        num_attention_heads=shape.num_heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_width,
        intermediate_size=shape.mlp_width,
        mlp_hidden_act=ACTIVATIONS[shape.mlp],
        ssm_state_size=shape.mamba_state,
        mamba_num_heads=shape.mamba_heads,
        mamba_head_dim=shape.mamba.inner // shape.mamba_heads,
        n_groups=shape.mamba_groups,
        conv_kernel=shape.mamba_conv,
        chunk_size=min(_CHUNK, length),
        use_cache=False,
    )
    return NemotronHForCausalLM(config)


def baseline_seconds(
    pattern: str, shape: ModelShape, task: Task, settings: TrainSettings, device: torch.device
) -> float:
    """Seconds of one training and one scoring, as `settings` say."""
    model = nemotron(pattern, shape, task.vocab_size, task.length).to(device).train()
    training = _batches(task, "train", settings.steps * settings.batch_size, settings, device)
    scoring = _batches(task, "search", settings.num_eval, settings, device)
    synchronize(device)
    with _as_usual():
        start = time.perf_counter()
        _train(model, training, settings, device)
        loss = _score(model, scoring, device)
        synchronize(device)
        elapsed_s = time.perf_counter() - start
    if loss != loss:
        raise RuntimeError(f"the baseline diverged on {pattern}: its time would mean nothing")
    return elapsed_s


@contextmanager
def _as_usual() -> Iterator[None]:
    """Without the deterministic kernels that our trainings ask for, and that cost time."""
    was_deterministic = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was_deterministic)


def _train(
    model: Any, batches: list[tuple[Tensor, Tensor]], settings: TrainSettings, device: torch.device
) -> None:
    optimizer = torch.optim.AdamW(
        model.parameters(),
        betas=(settings.beta1, settings.beta2),
        weight_decay=settings.weight_decay,
        fused=True,
    )
    for step, (inputs, targets) in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = settings.rate(step)
        with _autocast(device):
            loss = _loss(model(inputs).logits, targets)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_norm)
        optimizer.step()
        optimizer.zero_grad()


@torch.no_grad()
def _score(model: Any, batches: list[tuple[Tensor, Tensor]], device: torch.device) -> float:
    total = torch.zeros((), device=device)
    for inputs, targets in batches:
        with _autocast(device):
            total += _loss(model(inputs).logits, targets)
    return float(total)


def _loss(logits_BTV: Tensor, targets_BT: Tensor) -> Tensor:
    return F.cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten(), ignore_index=IGNORE)


def _autocast(device: torch.device) -> Any:
    on_gpu = device.type == "cuda"
    return torch.autocast("cuda", torch.bfloat16) if on_gpu else nullcontext()


def _batches(
    task: Task, split: TaskSplit, num_needed: int, settings: TrainSettings, device: torch.device
) -> list[tuple[Tensor, Tensor]]:
    """The batches of our trainer: those of training repeat, those of scoring are larger."""
    distinct = settings.num_train if split == "train" else 0
    drawn = task.sample(0, split, min(num_needed, distinct or num_needed))
    inputs, targets = (
        torch.from_numpy(array).to(device).repeat(-(-num_needed // len(array)), 1)[:num_needed]
        for array in (drawn.inputs, drawn.targets)
    )
    size = settings.batch_size * (1 if split == "train" else 4)
    return list(zip(torch.split(inputs, size), torch.split(targets, size), strict=True))
