"""Stretching and stacking: the published models, by hand, and what no size or depth can be."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nasarena.experiments.scaling.extrapolate import (
    Extrapolation,
    extrapolate_to_depth,
    extrapolate_to_parameters,
    stack,
    stretch,
)
from nasarena.experiments.scaling.sizes import (
    Count,
    count_parameters,
    layer_parameters,
    published_size,
    training_flops,
)
from nasarena.proxies.models.flops import SequenceShape, forward_flops
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.scaled.model import empty_model
from nasarena.proxies.scaled.shape import ScaledShape, scaled_shape
from nasarena.search.errors import InvalidSetting
from nasarena.search.notation import expand, run_lengths

TINY = ScaledShape(
    width=8, num_heads=4, num_kv_heads=2, head_dim=4, mlp="swiglu", mlp_hidden=16, mamba_heads=4,
    mamba_head_dim=4, mamba_state=3, vocab_size=11, mamba_groups=2,
)  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "rule", "layers", "printed"),
    [
        ("2A4M", "stack", "2A4M2A4M2A4M2A4M1A2M", (27, 9, 18, 1.00)),
        ("2A5M2A3M1A3M", "stretch", "4A9M4A5M2A5M", (29, 10, 19, 1.06)),
    ],
)
def test_composers_printed_models(
    pattern: str, rule: Extrapolation, layers: str, printed: tuple[int, int, int, float]
) -> None:
    """Layers, attention, MLP and billions of parameters, as large as Llama 3.2 1B's layers."""
    size = published_size("1B")
    found = extrapolate_to_parameters(expand(pattern), rule, size.shape, size.parameters)
    assert run_lengths(found) == run_lengths(expand(layers))
    billions = round(count_parameters(found, size.shape, "layers") / 1e9, 2)
    assert (len(found), found.count("A"), found.count("M"), billions) == printed
    assert extrapolate_to_depth(expand(pattern), rule, len(found)) == found


@pytest.mark.parametrize(
    ("name", "millions", "whole"),
    [
        ("350M", (6.3, 18.9, 14.6), 352.3),
        ("1B", (10.5, 50.3, 25.8), 973.1),
        ("3B", (23.6, 75.5, 58.3), 2774.5),
    ],
)
def test_published_sizes_of_layers(
    name: str, millions: tuple[float, float, float], whole: float
) -> None:
    size = published_size(name)
    found = [round(layer_parameters(letter, size.shape) / 1e6, 1) for letter in "AMS"]
    assert tuple(found) == millions
    assert round(size.parameters / 1e6, 1) == whole


def test_stretching_rounds_every_run_up() -> None:
    assert stretch("AAMAMMM", Fraction(3, 2)) == "AAAMMAAMMMMM"  # 3, 1.5, 1.5, 4.5
    assert stretch("AMS", Fraction(1)) == "AMS"
    assert stretch("AMS", Fraction(10, 3)) == "AAAAMMMMSSSS"
    assert stretch("S", Fraction(5)) == "SSSSS"
    # Exact: 1.1 x 10 is 11, which floating point makes 11.000000000000002.
    assert stretch("A" * 10, Fraction(11, 10)) == "A" * 11


def test_stacking_ends_in_a_stretched_copy() -> None:
    assert stack("AAMMMM", Fraction(5, 2)) == "AAMMMM" * 2 + "AMM"
    assert stack("AMS", Fraction(3)) == "AMSAMSAMS"
    assert stack("AMS", Fraction(31, 10)) == "AMSAMSAMSAMS"  # no run is below one layer
    assert stack("AAAAS", Fraction(5, 4)) == "AAAASAS"


@pytest.mark.parametrize("rule", ["stretch", "stack"])
def test_a_size_below_the_pattern_is_out_of_reach(rule: Extrapolation) -> None:
    own = count_parameters("AMS", TINY, "layers")
    assert extrapolate_to_parameters("AMS", rule, TINY, own) == "AMS"
    with pytest.raises(InvalidSetting, match=rf"1A1M1S has 0.0 million .* no {rule} reaches"):
        extrapolate_to_parameters("AMS", rule, TINY, own - 1)


def test_depths_in_reach_and_out_of_it() -> None:
    assert extrapolate_to_depth("AAM", "stretch", 5) == "AAAMM"
    assert extrapolate_to_depth("AAM", "stretch", 3) == "AAM"
    assert extrapolate_to_depth("AAM", "stack", 9) == "AAMAAMAAM"
    assert extrapolate_to_depth("AAM", "stack", 8) == "AAMAAMAM"
    with pytest.raises(InvalidSetting, match="stretch of 1A1M1S has 8 layers.*nearest are 6 and 9"):
        extrapolate_to_depth("AMS", "stretch", 8)
    with pytest.raises(InvalidSetting, match="stack of 1A1M1S has 8 layers.*nearest are 6 and 9"):
        extrapolate_to_depth("AMS", "stack", 8)
    with pytest.raises(InvalidSetting, match="1A1M1S has 3 layers, so no stretch has 2"):
        extrapolate_to_depth("AMS", "stretch", 2)


def test_a_letter_without_a_layer_is_refused() -> None:
    size = published_size("1B")
    with pytest.raises(InvalidSetting, match="letters at scale are A, M, S, got 'X' in 1A1X"):
        extrapolate_to_parameters("AX", "stretch", size.shape, size.parameters)
    with pytest.raises(InvalidSetting, match="no size is called '8B'"):
        published_size("8B")


def test_parameters_by_hand() -> None:
    """Width 8. A: 8 x (16 + 8 + 8) in, 16 x 8 out. M: 8 x 32 and 16 x 8. S: inner width 16, conv
    over 16 + 2 x 2 x 3 channels; z, those and 4 dt in, 16 x 8 out."""
    assert layer_parameters("A", TINY) == 8 * 32 + 16 * 8
    assert layer_parameters("M", TINY) == 8 * 32 + 16 * 8
    assert layer_parameters("S", TINY) == 8 * (16 + 28 + 4) + 16 * 8
    layers = 384 + 384 + 512
    assert count_parameters("AMS", TINY, "layers") == layers
    assert count_parameters("AMS", TINY) == layers + 8 * 11
    vectors = 4 * 8 + (28 * 4 + 28 + 3 * 4 + 16)  # norms; conv, its bias, dt, A, D, gated norm
    assert count_parameters("AMS", TINY, "all") == layers + 2 * 8 * 11 + vectors
    tied = replace(TINY, tied_embeddings=True)
    assert count_parameters("AMS", tied, "all") == layers + 8 * 11 + vectors
    assert count_parameters("AMS", tied) == layers + 8 * 11


@pytest.mark.parametrize("mlp", ["swiglu", "relu2"])
def test_counts_are_those_of_the_real_module(mlp: str) -> None:
    shapes = [replace(published_size(name).shape, mlp=mlp) for name in ("350M", "1B", "3B")]
    for shape in [*shapes, replace(TINY, mlp=mlp)]:
        for pattern in ("2A5M2A3M1A3M", "3S1A2M2S", "S"):
            model = empty_model(expand(pattern), shape)
            assert count_parameters(expand(pattern), shape, "all") == model.num_parameters
            matrices = [
                tensor.numel()
                for name, tensor in model.named_parameters()
                if tensor.dim() == 2 and "embedding" not in name and "conv" not in name
            ]
            counted: Count = "layers" if shape.tied_embeddings else "matrices"
            assert count_parameters(expand(pattern), shape, counted) == sum(matrices)


def test_flops_are_those_of_the_proxies() -> None:
    """Three forward passes over each sequence of a proxy's own model."""
    proxy = ModelShape(width=16, num_heads=2, mlp="relu2", mamba_heads=2)
    shape = scaled_shape(proxy, vocab_size=64)
    forward = forward_flops("AMS", proxy, SequenceShape(64, 32))
    assert training_flops("AMS", shape, num_tokens=320, length=32) == 3 * 10 * forward
    # Six a parameter and token, and what grows with the length.
    size = published_size("1B")
    six = 6 * count_parameters("AM" * 16, size.shape) * 10**9
    assert six < training_flops("AM" * 16, size.shape, 10**9, 128) < 1.02 * six


@pytest.mark.parametrize("pattern", ["AM", "S"])
def test_flops_are_those_that_torch_counts(pattern: str) -> None:
    """Mamba-2 within a thousandth: torch knows no taps of convolutions, and chunks differ."""
    shape, length = published_size("1B").shape, 256
    tokens = torch.zeros(1, length, dtype=torch.long, device="meta")
    model = empty_model(pattern, shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(tokens)
    own = training_flops(pattern, shape, length, length) / 3
    assert own == pytest.approx(counter.get_total_flops(), rel=1e-3 * pattern.count("S"))


def test_widths_that_no_proxy_has_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="mlp_hidden must be a multiple of 8.*got 20"):
        count_parameters("M", replace(TINY, mlp_hidden=20))
    with pytest.raises(InvalidSetting, match="mamba_heads x mamba_head_dim"):
        count_parameters("S", replace(TINY, mamba_head_dim=5))
