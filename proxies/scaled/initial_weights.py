"""How the weights of a model at scale begin: by the proxies' rules, from a stream for each tensor.

A stream is named by (seed, pattern, tensor), so a tensor begins the same on every device and
whatever else is drawn.
"""

from math import log

import torch
from torch import Tensor, nn

from nasarena.search.seeding import stream_seed

_ONES = ("norm", "final_norm", "gate_norm", "skip")


@torch.no_grad()
def draw_weights(model: nn.Module, seed: int, pattern: str, embedding_std: float) -> None:
    """Fill all parameters of a model whose parameters have the names of `ScaledModel`.

    The last projection of a layer starts smaller by sqrt(depth), so that the residual stream starts
    at the same size at any depth (Radford et al. 2019, section 2.3).
    """
    for name, tensor in model.named_parameters():
        tensor.copy_(initial_weight(name, tensor.shape, seed, pattern, embedding_std))


def initial_weight(
    name: str, size: torch.Size, seed: int, pattern: str, embedding_std: float
) -> Tensor:
    """The tensor `name` of a model of `pattern`, on the CPU."""
    generator = torch.Generator().manual_seed(stream_seed(seed, "scaled", pattern, name))
    return _initial(name, size, generator, len(pattern), embedding_std)


def _initial(
    name: str, size: torch.Size, generator: torch.Generator, depth: int, embedding_std: float
) -> Tensor:
    kind = name.removesuffix(".weight").rpartition(".")[2]
    if kind in _ONES:
        return torch.ones(size)
    if kind == "conv_bias":
        return torch.zeros(size)
    if kind == "a_log":  # A from 1 to 16, as Mamba-2 draws it
        return (1 + 15 * torch.rand(size, generator=generator)).log()
    if kind == "dt_bias":  # softplus(bias) log-uniform between 0.001 and 0.1
        uniform = torch.rand(size, generator=generator)
        dt = (uniform * (log(0.1) - log(0.001)) + log(0.001)).exp()
        return dt + (-torch.expm1(-dt)).log()
    spread = embedding_std if kind == "embedding" else size[-1] ** -0.5  # inputs of a product
    if kind == "out_proj":
        spread *= depth**-0.5
    return torch.randn(size, generator=generator) * spread
