"""Mamba-2 against its own recurrence and against the functions of its authors' package."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nasarena.proxies.models.mamba2 import (
    causal_conv,
    mamba2,
    recurrent_scan,
    scan_in_chunks,
)
from nasarena.proxies.models.model_shape import Mamba2Shape
from nasarena.proxies.models.rms_norm import rms_norm
from nasarena.proxies.models.triton_scan import scan_population

B, H, K, N = 2, 4, 3, 5
P, G = 2, 2


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def scan_inputs(length: int) -> list[Tensor]:
    """x, decay, b and c of `scan_in_chunks`, in double precision, with gradients wanted."""
    decay = -F.softplus(normal(P, B, length, H, seed=1))
    return [
        part.requires_grad_()
        for part in (
            normal(P, B, length, H, K),
            decay,
            normal(P, B, length, G, N, seed=2),
            normal(P, B, length, G, N, seed=3),
        )
    ]


def assert_same_with_gradients(got: Tensor, wanted: Tensor, inputs: list[Tensor]) -> None:
    torch.testing.assert_close(got, wanted)
    upstream = normal(*got.shape, seed=7)
    gradients = [torch.autograd.grad(y, inputs, upstream, retain_graph=True) for y in (got, wanted)]
    for ours, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("length", [1, 2, 6])  # fewer positions than taps, and more
def test_convolution_is_the_librarys_for_each_model(length: int) -> None:
    x, weight, bias = normal(P, B, length, 4), normal(P, 4, 3, seed=1), normal(P, 4, seed=2)
    got = causal_conv(x, weight, bias)
    for member in range(P):
        padded = F.pad(x[member].transpose(1, 2), (2, 0))
        mixed = F.conv1d(padded, weight[member][:, None], bias[member], groups=4)
        torch.testing.assert_close(got[member], mixed.transpose(1, 2))


def test_norm_is_by_its_formula_with_a_weight_for_each_model() -> None:
    x, weight = normal(P, B, 6, 4), normal(P, 4, seed=1)
    size = (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(rms_norm(x, weight), x / size * weight.view(P, 1, 1, 4))
    halves = [rms_norm(*part) for part in zip(x.chunk(2, -1), weight.chunk(2, -1), strict=True)]
    torch.testing.assert_close(rms_norm(x, weight, num_groups=2), torch.cat(halves, -1))


@pytest.mark.parametrize("length", [1, 5, 8, 9, 16, 21])
def test_chunks_compute_the_recurrence(length: int) -> None:
    inputs = scan_inputs(length)
    wanted = recurrent_scan(*inputs)
    assert_same_with_gradients(scan_in_chunks(*inputs, chunk=8), wanted, inputs)


def test_recurrence_by_hand() -> None:
    """h: 2*3 = 6; then 0.5*6 + 1*4 = 7. y: 6*1 = 6; 7*10 = 70."""
    x = torch.tensor([2.0, 1.0]).view(1, 1, 2, 1, 1)
    decay = torch.tensor([0.25, 0.5]).log().view(1, 1, 2, 1)
    b, c = (torch.tensor(each).view(1, 1, 2, 1, 1) for each in ([3.0, 4.0], [1.0, 10.0]))
    for scan in (recurrent_scan, scan_in_chunks):
        assert scan(x, decay, b, c).flatten().tolist() == pytest.approx([6.0, 70.0])


def test_strong_decay_neither_overflows_nor_gives_nan() -> None:
    inputs = scan_inputs(40)
    strong = (inputs[1].detach() * 500).requires_grad_()
    y = scan_in_chunks(inputs[0], strong, inputs[2], inputs[3])
    (gradient,) = torch.autograd.grad(y.sum(), strong)
    assert bool(torch.isfinite(y).all()) and bool(torch.isfinite(gradient).all())


@pytest.fixture
def author(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Loads plain modules of `mamba_ssm` by name, without its compiled and Triton parts."""
    spec = importlib.util.find_spec("mamba_ssm")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("mamba-ssm is not installed; `make test` installs its Python sources")
    root = Path(spec.submodule_search_locations[0])
    for name in ("", ".modules", ".ops", ".ops.triton", ".utils"):
        package = ModuleType(f"mamba_ssm{name}")
        package.__path__ = [str(root.joinpath(*name.split(".")))]
        monkeypatch.setitem(sys.modules, package.__name__, package)
    kernels = {
        "selective_scan_cuda": [],
        "mamba_ssm.ops.triton.ssd_combined": ["mamba_chunk_scan_combined"],
        "mamba_ssm.ops.triton.layer_norm": ["_layer_norm_fwd"],
    }
    for module, names in kernels.items():
        stand_in = ModuleType(module)
        for name in names:
            setattr(stand_in, name, None)
        monkeypatch.setitem(sys.modules, module, stand_in)
    loaded = set(sys.modules)
    yield importlib.import_module
    for module in set(sys.modules) - loaded:
        if module.startswith("mamba_ssm"):
            del sys.modules[module]


@pytest.mark.parametrize("length", [8, 24])
def test_scan_is_listing_1_of_the_paper(author: Any, length: int) -> None:
    listing = author("mamba_ssm.modules.ssd_minimal").ssd_minimal_discrete
    inputs = scan_inputs(length)
    x, decay, b, c = (part.flatten(0, 1) for part in inputs)
    heads = [part.repeat_interleave(H // G, dim=2) for part in (b, c)]
    wanted = listing(x, decay, *heads, 8)[0].view(P, B, length, H, K)
    assert_same_with_gradients(scan_in_chunks(*inputs, chunk=8), wanted, inputs)


def test_a_population_folded_into_groups_is_the_scan_of_each_model(author: Any) -> None:
    """What the authors' kernel is asked for, answered by their plain listing."""
    listing = author("mamba_ssm.modules.ssd_minimal").ssd_minimal_discrete

    def kernel(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, chunk: int) -> Tensor:
        heads_of_group = x.shape[2] // b.shape[2]
        b, c = (part.repeat_interleave(heads_of_group, dim=2) for part in (b, c))
        y: Tensor = listing(x * dt[..., None], dt * a, b, c, 8)[0]
        return y

    x, decay, b, c = scan_inputs(24)
    dt = (-decay.detach()).requires_grad_()
    a = (-normal(P, H, seed=4).exp()).requires_grad_()
    wanted = scan_in_chunks(x * dt[..., None], dt * a[:, None, None], b, c, chunk=8)
    assert_same_with_gradients(scan_population(x, dt, a, b, c, kernel), wanted, [x, dt, a, b, c])


def test_scan_is_mambas_selective_scan(author: Any) -> None:
    """Mamba-2 is Mamba's selective scan with one A for a head's channels (Dao & Gu 2024)."""
    selective = author("mamba_ssm.ops.selective_scan_interface").selective_scan_ref
    length = 12
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, B, length, H, K, generator=generator)
    dt = F.softplus(torch.randn(1, B, length, H, generator=generator))
    a = -torch.rand(H, generator=generator)
    b, c = torch.randn(2, 1, B, length, N, generator=generator).unbind()
    ours = scan_in_chunks(x * dt[..., None], dt * a, b[..., None, :], c[..., None, :], chunk=5)[0]
    wanted = selective(
        x[0].flatten(2).transpose(1, 2),
        dt[0].repeat_interleave(K, -1).transpose(1, 2),
        a.repeat_interleave(K)[:, None].expand(-1, N),
        b[0].transpose(1, 2),
        c[0].transpose(1, 2),
    )
    torch.testing.assert_close(ours.flatten(2).transpose(1, 2), wanted, rtol=1e-4, atol=1e-5)


def test_layer_is_causal_also_through_its_convolution() -> None:
    shape = Mamba2Shape(width=8, num_heads=2, state=4)
    weights = layer_weights(shape)
    x = normal(P, B, 9, 8)
    changed = x.clone()
    changed[:, :, 5:] += 1
    before, after = mamba2(x, weights, shape), mamba2(changed, weights, shape)
    assert torch.equal(before[:, :, :5], after[:, :, :5])
    assert not torch.allclose(before[:, :, 5:], after[:, :, 5:])


def layer_weights(shape: Mamba2Shape) -> dict[str, Tensor]:
    E, C = shape.inner, shape.conv_channels
    return {
        "in_proj": normal(P, shape.width, shape.projection_width, seed=1) / 3,
        "conv": normal(P, C, shape.conv, seed=2),
        "conv_bias": normal(P, C, seed=3),
        "dt_bias": normal(P, shape.num_heads, seed=4),
        "a_log": normal(P, shape.num_heads, seed=5),
        "skip": normal(P, shape.num_heads, seed=6),
        "gate_norm": normal(P, E, seed=7),
        "out_proj": normal(P, E, shape.width, seed=8) / 3,
    }
