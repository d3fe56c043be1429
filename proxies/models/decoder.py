"""The decoder of an auto-encoder: every position from the last state alone, as in mad-lab.

mad-lab (Poli et al. 2024, code of the compression task): the last state plus a position, then twice
norm, product as wide as the model, GELU by the error function; a norm and the head follow. Products
and head have biases. Its matrices start normal with spread 0.02.

Shapes: P models, B sequences, T positions, D width.
"""

from collections.abc import Mapping
from math import log

import torch
import torch.nn.functional as F
from torch import Tensor

from nasarena.proxies.models.model_shape import DECODER_STAGES
from nasarena.proxies.models.rms_norm import rms_norm


def decode(last_PB1D: Tensor, positions_TD: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
    """What the final norm before the head reads, `(P, B, T, D)`.

    `weights`: of each stage `decoder_norm` `(P, D)`, `decoder` `(P, D, D)` and `decoder_bias`
    `(P, D)`, with the stage's number behind the name.
    """
    x = last_PB1D + positions_TD
    P, B, T, D = x.shape
    for stage in DECODER_STAGES:
        normed = rms_norm(x, weights[f"decoder_norm_{stage}"]).reshape(P, B * T, D)
        matrix, bias = weights[f"decoder_{stage}"], weights[f"decoder_bias_{stage}"]
        x = F.gelu(torch.baddbmm(bias[:, None], normed, matrix)).view(P, B, T, D)
    return x


def sinusoids(length: int, width: int) -> Tensor:
    """Fixed positions `(T, D)`, sines then cosines, as mad-lab's decoder has them.

    Frequencies fall from 1 to 1/10,000, both included; an odd width ends in a zero.
    """
    half = width // 2
    frequency = torch.exp(torch.arange(half) * (-log(10_000.0) / max(1, half - 1)))
    angle = torch.arange(length)[:, None] * frequency
    return F.pad(torch.cat([angle.sin(), angle.cos()], dim=1), (0, width % 2))
