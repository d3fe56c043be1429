"""The decoder of compression against torch's own modules in a row, as mad-lab puts them."""

from math import cos, sin

import pytest
import torch
from torch import nn

from nasarena.proxies.models.decoder import sinusoids
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.models.population import Population

D, V, T, B = 8, 5, 4, 3


def test_an_auto_encoder_decodes_as_modules_in_a_row_do() -> None:
    """Without layers' help: the last state of a pattern of one MLP, then torch.nn.Sequential."""
    shape = ModelShape(width=D, num_heads=2, mamba_heads=2)
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    models = Population(["M", "M"], generators, shape, V, T, "auto_encoder", torch.device("cpu"))
    with torch.no_grad():
        models.flat += 0.3 * torch.randn(
            len(models.flat), generator=torch.Generator().manual_seed(3)
        )
    tokens = torch.randint(V, (2, B, T), generator=torch.Generator().manual_seed(4))
    got = models.logits(tokens)
    for member in range(2):
        row = nn.Sequential(
            nn.RMSNorm(D, eps=1e-5), nn.Linear(D, D), nn.GELU(),
            nn.RMSNorm(D, eps=1e-5), nn.Linear(D, D), nn.GELU(),
            nn.RMSNorm(D, eps=1e-5), nn.Linear(D, V),
        )  # fmt: skip
        names = [
            "decoder_norm_1", "decoder_1", "decoder_bias_1",
            "decoder_norm_2", "decoder_2", "decoder_bias_2",
            "final_norm", "head", "head_bias",
        ]  # fmt: skip
        with torch.no_grad():
            for name, parameter in zip(names, row.parameters(), strict=True):
                own = models.ends[name][member]
                parameter.copy_(own.mT if own.ndim == 2 else own)
            state = last_state(models, member, tokens[member])
            wanted = row(state[:, None] + sinusoids(T, D))
        torch.testing.assert_close(got[member], wanted, rtol=1e-5, atol=1e-6)


def last_state(models: Population, member: int, tokens_BT: torch.Tensor) -> torch.Tensor:
    """Embedding plus MLP at the last position, `(B, D)`."""
    weights = {name: leaf[member] for name, leaf in models.groups[0][0].weights.items()}
    x = models.ends["embedding"][member][tokens_BT[:, -1]]
    normed = x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * weights["norm"]
    hidden = torch.nn.functional.gelu(normed @ weights["in_proj"], approximate="tanh")
    return x + hidden @ weights["out_proj"]


@pytest.mark.parametrize("width", [6, 7])
def test_positions_by_hand(width: int) -> None:
    """Three frequencies, 1, 1/100 and 1/10,000; an odd width ends in a zero."""
    angles = [3.0, 3.0 / 100, 3.0 / 10_000]
    wanted = [sin(each) for each in angles] + [cos(each) for each in angles]
    found = sinusoids(4, width)[3].tolist()
    assert found == pytest.approx(wanted + [0.0] * (width - 6), rel=1e-5)
