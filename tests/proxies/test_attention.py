"""Attention and MLP against the library's own forms, composed by hand for one model at a time."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nasarena.proxies.models.attention import attention, causal_mix, rotary_table, rotate
from nasarena.proxies.models.mlp import mlp
from nasarena.proxies.models.model_shape import MlpKind

P, B, T, D, H = 3, 2, 7, 16, 4


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rotate_pairwise(x_BHTK: Tensor) -> Tensor:
    """Rotary positions as Su et al. write them: pair (2j, 2j+1) turned by t * 10000^(-2j/K)."""
    turned = torch.empty_like(x_BHTK)
    K = x_BHTK.shape[-1]
    for t in range(x_BHTK.shape[2]):
        for j in range(K // 2):
            angle = t * 10_000 ** (-2 * j / K)
            even, odd = x_BHTK[:, :, t, 2 * j], x_BHTK[:, :, t, 2 * j + 1]
            turned[:, :, t, 2 * j] = even * math.cos(angle) - odd * math.sin(angle)
            turned[:, :, t, 2 * j + 1] = even * math.sin(angle) + odd * math.cos(angle)
    return turned


def plain_attention(
    x_BTD: Tensor, in_proj: Tensor, out_proj: Tensor, kv_heads: int, rotary: bool
) -> Tensor:
    """Each head by itself, with the keys and values of its group."""
    K = in_proj.shape[1] // (H + 2 * kv_heads)
    projected = (x_BTD @ in_proj).view(B, T, H + 2 * kv_heads, K).transpose(1, 2)
    turned = rotate_pairwise(projected) if rotary else projected
    mixed = []
    for head in range(H):
        group = head * kv_heads // H
        query, key = turned[:, head], turned[:, H + group]
        value = projected[:, H + kv_heads + group]
        mixed.append(F.scaled_dot_product_attention(query, key, value, is_causal=True))
    return torch.cat(mixed, dim=-1) @ out_proj


@pytest.mark.parametrize("rotary", [True, False])
@pytest.mark.parametrize(("kv_heads", "K"), [(4, 4), (2, 6), (1, 2)])
def test_each_model_attends_as_if_alone(kv_heads: int, K: int, rotary: bool) -> None:
    x = normal(P, B, T, D)
    columns = (H + 2 * kv_heads) * K
    weights = {"in_proj": normal(P, D, columns, seed=1), "out_proj": normal(P, H * K, D, seed=2)}
    got = attention(x, weights, H, kv_heads, rotary)
    for member in range(P):
        own = [weights[name][member] for name in ("in_proj", "out_proj")]
        wanted = plain_attention(x[member], *own, kv_heads, rotary)
        # The rotary table is single precision.
        torch.testing.assert_close(got[member], wanted, rtol=1e-5, atol=1e-5)


def test_plain_formula_and_library_kernel_agree_in_values_and_gradients() -> None:
    parts = [normal(P * B, H, T, 8, seed=seed).requires_grad_() for seed in range(3)]
    ours = causal_mix(*parts)
    wanted = F.scaled_dot_product_attention(*parts, is_causal=True)
    torch.testing.assert_close(ours, wanted)
    upstream = normal(*ours.shape, seed=9)
    for got, expected in zip(
        torch.autograd.grad(ours, parts, upstream),
        torch.autograd.grad(wanted, parts, upstream),
        strict=True,
    ):
        torch.testing.assert_close(got, expected)


def test_long_sequences_go_through_the_kernel_and_agree() -> None:
    parts = [normal(1, 1, 300, 4, seed=seed) for seed in range(3)]
    scores = (parts[0] @ parts[1].transpose(-1, -2)) / 2
    later = torch.ones(300, 300, dtype=torch.bool).triu(1)
    wanted = scores.masked_fill(later, -torch.inf).softmax(-1) @ parts[2]
    torch.testing.assert_close(causal_mix(*parts), wanted)


def test_no_position_sees_a_later_one() -> None:
    weights = {"in_proj": normal(1, D, 3 * D, seed=1), "out_proj": normal(1, D, D, seed=2)}
    x = normal(1, 1, T, D)
    changed = x.clone()
    changed[:, :, 4:] += 1
    before, after = attention(x, weights, H, H, True), attention(changed, weights, H, H, True)
    assert torch.equal(before[:, :, :4], after[:, :, :4])
    assert not torch.allclose(before[:, :, 4:], after[:, :, 4:])


def test_rotary_scores_depend_on_distance_alone() -> None:
    """The same queries and keys three positions later match each other in the same way."""
    table = rotary_table(T + 3, 8, torch.device("cpu"))
    query, key = normal(T, 8), normal(T, 8, seed=1)
    early = rotate(query, table[:T]) @ rotate(key, table[:T]).mT
    late = rotate(query, table[3:]) @ rotate(key, table[3:]).mT
    torch.testing.assert_close(early, late, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(early, query @ key.mT, rtol=1e-2)


def test_odd_head_width_is_refused_with_rotary_positions() -> None:
    weights = {"in_proj": normal(1, 6, 18), "out_proj": normal(1, 6, 6)}
    with pytest.raises(ValueError, match="even head width, got 3"):
        attention(normal(1, 1, 2, 6), weights, 2, 2, True)


@pytest.mark.parametrize("kind", ["gelu", "relu2", "swiglu"])
def test_each_model_has_its_own_mlp(kind: MlpKind) -> None:
    hidden = 12
    columns = 2 * hidden if kind == "swiglu" else hidden
    x = normal(P, B, T, D)
    weights = {"in_proj": normal(P, D, columns, seed=1), "out_proj": normal(P, hidden, D, seed=2)}
    got = mlp(x, weights, kind)
    for member in range(P):
        inner = x[member] @ weights["in_proj"][member]
        if kind == "gelu":  # Hendrycks & Gimpel 2016, the tanh form
            cubic = inner + 0.044715 * inner**3
            inner = 0.5 * inner * (1 + torch.tanh(math.sqrt(2 / math.pi) * cubic))
        elif kind == "relu2":
            inner = inner.clamp(min=0) ** 2
        else:
            gate, up = inner[..., :hidden], inner[..., hidden:]
            inner = gate / (1 + torch.exp(-gate)) * up
        torch.testing.assert_close(got[member], inner @ weights["out_proj"][member])
