"""Whole layers as one operation, against their composed forms and by finite differences."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from nasarena.proxies import attention as attention_module
from nasarena.proxies.attention import attention
from nasarena.proxies.fused import rms_norm
from nasarena.proxies.fused_attention import AttentionCore
from nasarena.proxies.fused_layer import Core, fused_layer
from nasarena.proxies.fused_mamba2 import Mamba2Core
from nasarena.proxies.fused_mlp import GeluCore
from nasarena.proxies.mamba2 import Mamba2Shape, mamba2
from nasarena.proxies.mlp import mlp

P, B, D, H = 2, 2, 4, 2
MAMBA = Mamba2Shape(width=D, num_heads=H, state=2, conv=3)
KINDS = ["A", "A rotary", "M", "S"]
NAMES = ("norm", "in_proj", "out_proj", *Mamba2Core.weight_names, "gate_norm")

Update = Callable[[Tensor, dict[str, Tensor]], Tensor]
LAYERS: dict[str, tuple[Core, Update]] = {
    "A": (AttentionCore(H, False), lambda x, weights: attention(x, weights, H, False)),
    "A rotary": (AttentionCore(H, True), lambda x, weights: attention(x, weights, H, True)),
    "M": (GeluCore(), lambda x, weights: mlp(x, weights, "gelu")),
    "S": (Mamba2Core(2 * D, H), lambda x, weights: mamba2(x, weights, MAMBA)),
}


@pytest.fixture(autouse=True)
def double_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rotary table is single precision: too coarse for finite differences."""
    table = attention_module.rotary_table

    def exact(length: int, head_width: int, device: torch.device) -> Tensor:
        coarse = table(length, head_width, device).to(torch.complex128)
        return coarse / coarse.abs()

    monkeypatch.setattr(attention_module, "rotary_table", exact)
    monkeypatch.setattr("nasarena.proxies.fused_attention.rotary_table", exact)


def inputs(kind: str, length: int) -> list[Tensor]:
    """`x` and the weights of a layer, in double precision."""
    E, C = MAMBA.inner, MAMBA.conv_channels
    columns, inner = {"A": (3 * D, D), "M": (5, 5), "S": (MAMBA.projected, E)}[kind[0]]
    shapes: list[tuple[int, ...]] = [(P, B, length, D), (P, D), (P, D, columns), (P, inner, D)]
    if kind == "S":
        shapes += [(P, C, 3), (P, C), (P, H), (P, H), (P, H), (P, E)]
    generator = torch.Generator().manual_seed(length)
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
        for shape in shapes
    ]


def fused(kind: str, x: Tensor, *weights: Tensor) -> Tensor:
    return fused_layer(LAYERS[kind][0], x, dict(zip(NAMES, weights, strict=False)))


def composed(kind: str, x: Tensor, *weights: Tensor) -> Tensor:
    named = dict(zip(NAMES, weights, strict=False))
    return x + LAYERS[kind][1](rms_norm(x, named["norm"]), named)


def assert_same_with_gradients(kind: str, parts: list[Tensor], **tolerance: float) -> None:
    got, wanted = fused(kind, *parts), composed(kind, *parts)
    torch.testing.assert_close(got, wanted, **tolerance)
    upstream = torch.randn(got.shape, generator=torch.Generator().manual_seed(1)).to(got)
    gradients = [torch.autograd.grad(y, parts, upstream) for y in (got, wanted)]
    for ours, expected in zip(*gradients, strict=True):
        assert bool(ours.isfinite().all())
        torch.testing.assert_close(ours, expected, **tolerance)


@pytest.mark.parametrize("length", [1, 2, 3, 7, 64])  # of the taps: fewer, as many, more
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_composed_form_with_its_gradients(kind: str, length: int) -> None:
    assert_same_with_gradients(kind, inputs(kind, length))


@pytest.mark.parametrize("kind", KINDS)
def test_it_has_the_gradient_of_its_formula(kind: str) -> None:
    assert torch.autograd.gradcheck(lambda *parts: fused(kind, *parts), inputs(kind, 4))


@pytest.mark.parametrize("bias", [-200.0, 200.0])  # softplus is 0, or linear
def test_extreme_step_sizes_of_mamba_give_what_the_composed_form_gives(bias: float) -> None:
    parts = [part.detach().float().requires_grad_() for part in inputs("S", 6)]
    parts[1 + NAMES.index("dt_bias")] = torch.full((P, H), bias, requires_grad=True)
    assert_same_with_gradients("S", parts, rtol=1e-3, atol=1e-3)


def test_large_values_leave_gelu_finite() -> None:
    parts = [(30 * part.detach()).float().requires_grad_() for part in inputs("M", 3)]
    assert_same_with_gradients("M", parts, rtol=1e-4, atol=1e-2)
