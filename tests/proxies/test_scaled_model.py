"""A model at scale against the proxies' engine with the same weights, and its scan, by itself."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from nasarena.proxies.models.flops import SequenceShape, num_parameters
from nasarena.proxies.models.mamba2 import recurrent_scan
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.models.population import Population
from nasarena.proxies.scaled.mamba2 import scan_chunks
from nasarena.proxies.scaled.model import (
    ScaledModel,
    build_model,
    empty_model,
    engine_weights,
    next_token_loss,
)
from nasarena.proxies.scaled.shape import ScaledShape, scaled_shape
from nasarena.search.errors import InvalidSetting

VOCAB = 11
SMALL = ModelShape(width=16, num_heads=2, mamba_heads=2, mamba_state=4)
GROUPED = ModelShape(
    width=16, num_heads=4, num_kv_heads=2, head_dim=6, mamba_heads=4, mamba_groups=2, mamba_state=4,
    mamba_conv=3, mlp="swiglu", tied_embeddings=True,
)  # fmt: skip
NEMOTRON = replace(SMALL, rotary=False, mlp="relu2", num_kv_heads=1)


def population(patterns: list[str], proxy: ModelShape, length: int) -> Population:
    """Weights beside their start, so that no norm is one and no bias zero."""
    generators = [torch.Generator().manual_seed(7 + place) for place in range(len(patterns))]
    models = Population(
        patterns, generators, proxy, VOCAB, length, "language_model", torch.device("cpu")
    )
    with torch.no_grad():
        noise = torch.randn(models.flat.shape, generator=torch.Generator().manual_seed(1))
        models.flat += 0.1 * noise
    return models


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# One chunk and more; a plain product of attention, and the library's kernel for long sequences.
@pytest.mark.parametrize("length", [12, 150])
@pytest.mark.parametrize("proxy", [SMALL, GROUPED, NEMOTRON], ids=["small", "grouped", "nemotron"])
@pytest.mark.parametrize("patterns", [["AMSMASSM", "SSAMMAMS"], ["A"], ["S"], ["M"]])
def test_given_its_weights_it_computes_what_the_engine_computes(
    patterns: list[str], proxy: ModelShape, length: int
) -> None:
    """Logits and the gradient of every weight within 1e-4; of both members of a population."""
    models = population(patterns, proxy, length)
    tokens = torch.randint(VOCAB, (2, length), generator=torch.Generator().manual_seed(2))
    wanted = models.logits(tokens.expand(len(patterns), -1, -1))
    upstream = torch.randn(wanted.shape[1:], generator=torch.Generator().manual_seed(3))
    for member, pattern in enumerate(patterns):
        weights = engine_weights(models, member)
        model = empty_model(pattern, scaled_shape(proxy, VOCAB))
        assert set(weights) == set(model.state_dict())
        logits = functional_call(model, weights, tokens)
        torch.testing.assert_close(logits, wanted[member], rtol=1e-4, atol=1e-4)
        gradients = [
            torch.autograd.grad(
                (scores * upstream).sum(),
                models.leaves,
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )  # fmt: skip
            for scores in (logits, wanted[member])
        ]
        for ours, expected in zip(*gradients, strict=True):
            assert float((ours - expected).norm()) <= 1e-4 * float(expected.norm())


@pytest.mark.parametrize("length", [1, 5, 8, 9, 16, 21])
def test_chunks_compute_the_recurrence_at_any_length(length: int) -> None:
    B, H, K, G, N = 2, 4, 3, 2, 5
    inputs = [
        part.requires_grad_()
        for part in (
            normal(B, length, H, K),
            -F.softplus(normal(B, length, H, seed=1)),
            normal(B, length, G, N, seed=2),
            normal(B, length, G, N, seed=3),
        )
    ]
    got = scan_chunks(*inputs, chunk=8)
    wanted = recurrent_scan(*(part[None] for part in inputs))[0]
    torch.testing.assert_close(got, wanted)
    upstream = normal(*got.shape, seed=7)
    gradients = [torch.autograd.grad(y, inputs, upstream, retain_graph=True) for y in (got, wanted)]
    for ours, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, expected)


def test_an_option_that_is_switched_is_heard() -> None:
    """Otherwise the comparison with the engine might hold because both ignore it."""
    tokens = torch.arange(VOCAB)[None]
    shape = scaled_shape(GROUPED, VOCAB)
    weights = engine_weights(population(["AMS"], GROUPED, VOCAB))
    plain = functional_call(empty_model("AMS", shape), weights, tokens).detach()
    for other in ({"rotary": False}, {"rotary_base": 100.0}, {"norm_eps": 0.1}):
        changed = functional_call(empty_model("AMS", replace(shape, **other)), weights, tokens)
        assert float((changed.detach() - plain).abs().max()) > 1e-3, other


@pytest.mark.parametrize("proxy", [SMALL, GROUPED], ids=["small", "grouped"])
def test_on_the_meta_device_parameters_are_those_of_the_engine(proxy: ModelShape) -> None:
    sequence = SequenceShape(VOCAB, 12)
    model = empty_model("AMSSM", scaled_shape(proxy, VOCAB))
    assert model.num_parameters == num_parameters("AMSSM", proxy, sequence)
    assert all(tensor.is_meta for tensor in model.parameters())


def test_three_billion_parameters_take_no_memory() -> None:
    """Llama 3.2 3B by its published widths: 28 blocks, 3.21e9 parameters with its tied head."""
    shape = ScaledShape(
        width=3072, num_heads=24, num_kv_heads=8, head_dim=128, mlp="swiglu", mlp_hidden=8192,
        mamba_heads=96, mamba_head_dim=64, mamba_state=256, vocab_size=128_256,
        tied_embeddings=True,
    )  # fmt: skip
    model = empty_model("AM" * 28, shape)
    assert model.num_parameters == 3_212_749_824  # of meta-llama/Llama-3.2-3B
    logits = model(torch.zeros(1, 64, dtype=torch.long, device="meta"))
    assert logits.shape == (1, 64, 128_256)


def test_weights_begin_by_the_seed_and_the_pattern() -> None:
    shape = scaled_shape(SMALL, VOCAB)

    def vector(pattern: str, seed: int) -> Tensor:
        return torch.nn.utils.parameters_to_vector(build_model(pattern, shape, seed).parameters())

    first = vector("AMS", 0)
    assert torch.equal(first, vector("AMS", 0))
    assert not torch.equal(first, vector("AMS", 1))
    # Another order of the same layers: the embedding too is another.
    assert not torch.equal(first[: VOCAB * 16], vector("SMA", 0)[: VOCAB * 16])


def test_weights_begin_as_random_as_the_engines() -> None:
    """1,024 draws and more: 5 standard errors are 11 % of the spread."""
    proxy = ModelShape(width=64, num_heads=2, mamba_heads=2, mamba_state=64)
    ours = build_model("AMS", scaled_shape(proxy, 64), seed=0).state_dict()
    generators = [torch.Generator().manual_seed(0)]
    engine = engine_weights(
        Population(["AMS"], generators, proxy, 64, 8, "language_model", torch.device("cpu"))
    )
    for name, tensor in engine.items():
        drawn = ours[name]
        if tensor.numel() >= 1024:
            spread = float(tensor.detach().std())
            assert float(drawn.std()) == pytest.approx(spread, rel=0.11), name
        elif "a_log" in name:
            assert bool((drawn.exp() >= 1).all() and (drawn.exp() <= 16).all())
        elif "dt_bias" in name:
            assert bool((F.softplus(drawn) > 0.00099).all() and (F.softplus(drawn) < 0.101).all())
        else:
            assert torch.equal(drawn, tensor), name


@pytest.mark.parametrize("pattern", ["", "AMG"])
def test_letters_without_a_layer_are_refused_in_one_line(pattern: str) -> None:
    with pytest.raises(InvalidSetting, match="^pattern must have letters from AMS to be trained"):
        ScaledModel(pattern, scaled_shape(SMALL, VOCAB))


def test_targets_that_do_not_count_do_not_count() -> None:
    logits = normal(1, 3, VOCAB)
    whole = next_token_loss(logits, torch.tensor([[4, -100, 2]]))
    parts = [-logits[0, place].float().log_softmax(-1)[token] for place, token in ((0, 4), (2, 2))]
    torch.testing.assert_close(whole, torch.stack(parts).mean())
