"""The MLP layer, GELU or SwiGLU, for a population of models at once.

Shapes: P models, B sequences, T positions, D width, F hidden width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from nasarena.proxies.models.model_shape import MlpKind


def mlp(x_PBTD: Tensor, weights: dict[str, Tensor], kind: MlpKind) -> Tensor:
    """One MLP layer, without norm and residual: `(P, B, T, D)` to `(P, B, T, D)`.

    `weights`: `in_proj` of `(P, D, F)`, for `swiglu` `(P, D, 2F)` with the gate's columns first
    (Shazeer 2020), and `out_proj` of `(P, F, D)`. `gelu` uses the tanh form as mad-lab does;
    `relu2` is Nemotron-H's squared ReLU. No biases.
    """
    P, B, T, D = x_PBTD.shape
    hidden = torch.bmm(x_PBTD.reshape(P, B * T, D), weights["in_proj"])
    if kind == "swiglu":
        gate, up = hidden.chunk(2, dim=-1)
        hidden = F.silu(gate) * up
    elif kind == "relu2":
        hidden = F.relu(hidden).square()
    else:
        hidden = F.gelu(hidden, approximate="tanh")
    return torch.bmm(hidden, weights["out_proj"]).view(P, B, T, D)
