"""A training step can be captured: traced into a list of operations, it goes on training by them.

That is what a CUDA graph asks for: no value is waited for, none decides, all places are fixed. The
tracer refuses what would wait, and what was decided in Python would be replayed as it was.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.models.population import Population
from nasarena.proxies.training import adamw
from nasarena.proxies.training.adamw import FlatAdamW
from nasarena.proxies.training.devices import autocast
from nasarena.proxies.training.train_step import TrainStep

CPU = torch.device("cpu")
SHAPE = ModelShape(width=8, num_heads=2, mamba_heads=2, mamba_state=4)
PATTERNS, NUM_STEPS, LIMIT = ["AMS", "SMA", "MMM"], 6, 6.0


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """No shortcut that looks at values, and the composed layers, not the fused ones of a CPU."""
    monkeypatch.setattr(adamw, "_MAY_LOOK", frozenset())


def new_step() -> tuple[Population, TrainStep]:
    generators = [torch.Generator().manual_seed(seed) for seed in range(len(PATTERNS))]
    models = Population(PATTERNS, generators, SHAPE, 5, 6, "language_model", CPU)
    return models, TrainStep(models, FlatAdamW(models, (0.9, 0.95), 0.1, 1.0), LIMIT)


def arguments(number: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(100 + number)
    tokens = torch.randint(5, (len(PATTERNS), 4, 7), generator=generator)
    inputs, targets = (part.contiguous() for part in (tokens[..., :-1], tokens[..., 1:]))
    return inputs, targets, torch.tensor(0.01 / (number + 1))


def train(run: Callable[..., Tensor], first: int) -> list[Tensor]:
    return [run(*arguments(number)).clone() for number in range(first, NUM_STEPS)]


def test_a_traced_step_trains_on_as_the_step_itself() -> None:
    with autocast(CPU, "bfloat16"):
        models, step = new_step()
        wanted = train(step, 0)
        traced_models, traced_step = new_step()
        got = [traced_step(*arguments(0)).clone()]
        before = traced_models.flat.clone()
        traced = make_fx(traced_step)(*arguments(1))
        assert not torch.equal(before, traced_models.flat)  # the trace itself is a step
        with torch.no_grad():  # the trace holds the gradients' operations
            got += train(traced, 2)
    torch.testing.assert_close(torch.stack(got), torch.stack([wanted[0], *wanted[2:]]))
    torch.testing.assert_close(traced_models.flat, models.flat)


def test_a_traced_step_masks_a_model_that_dies_after_the_trace() -> None:
    with autocast(CPU, "bfloat16"):
        models, step = new_step()
        traced = make_fx(step)(*arguments(0))
        with torch.no_grad():
            models.ends["embedding"][1] = float("nan")
            train(traced, 1)
    assert step.alive_P.tolist() == [True, False, True]
    is_alive = step.alive_P[models.owner]
    assert bool(models.flat[is_alive].isfinite().all())


def test_the_tracer_refuses_a_step_that_looks_at_a_value() -> None:
    _, step = new_step()

    def looks(*given: Any) -> Tensor:
        found = step(*given)
        return found * 2 if bool(step.alive_P.all()) else found

    with pytest.raises(RuntimeError, match="value out of a tracing tensor"):
        make_fx(looks)(*arguments(0))
