"""The written-out gradients of norm and convolution, against the library and finite differences."""

import torch
import torch.nn.functional as F
from torch import Tensor

from nasarena.proxies.models.autograd_ops import causal_conv_silu, permute, rms_norm

P, B, T, C, W = 2, 3, 6, 4, 3


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()


def test_norm_is_the_librarys_for_each_model() -> None:
    x, weight = normal(P, B, T, C), normal(P, C, seed=1)
    got = rms_norm(x, weight)
    for member in range(P):
        torch.testing.assert_close(got[member], F.rms_norm(x[member], (C,), weight[member], 1e-5))


def test_norm_has_the_gradient_of_its_formula() -> None:
    assert torch.autograd.gradcheck(rms_norm, (normal(P, B, T, C), normal(P, C, seed=1)))


def test_convolution_is_the_librarys_for_each_model() -> None:
    x, weight, bias = normal(P, B, T, C), normal(P, C, W, seed=1), normal(P, C, seed=2)
    got = causal_conv_silu(x, weight, bias)
    for member in range(P):
        padded = F.pad(x[member].transpose(1, 2), (W - 1, 0))
        mixed = F.conv1d(padded, weight[member][:, None], bias[member], groups=C)
        torch.testing.assert_close(got[member], F.silu(mixed).transpose(1, 2))


def test_convolution_has_the_gradient_of_its_formula() -> None:
    inputs = (normal(P, B, T, C), normal(P, C, W, seed=1), normal(P, C, seed=2))
    assert torch.autograd.gradcheck(causal_conv_silu, inputs)


def test_convolution_of_fewer_positions_than_taps_has_the_gradient_of_its_formula() -> None:
    inputs = (normal(P, B, 2, C), normal(P, C, W, seed=1), normal(P, C, seed=2))
    assert torch.autograd.gradcheck(causal_conv_silu, inputs)


def test_permuted_members_get_their_own_gradients_back() -> None:
    there, back = torch.tensor([2, 0, 1]), torch.tensor([1, 2, 0])
    x = normal(3, 2, 2, 1)
    assert torch.equal(permute(permute(x, there, back), back, there), x)
    assert torch.autograd.gradcheck(permute, (x, there, back))
