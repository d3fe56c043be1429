"""The sizes of a model at scale: derived widths, and what is refused."""

from dataclasses import replace

import pytest

from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.scaled.shape import ScaledShape, scaled_shape
from nasarena.search.errors import InvalidSetting

SHAPE = ScaledShape(
    width=12, num_heads=4, num_kv_heads=2, head_dim=6, mlp="swiglu", mlp_hidden=20, mamba_heads=6,
    mamba_head_dim=5, mamba_state=3, vocab_size=11, mamba_groups=2,
)  # fmt: skip


def test_widths_of_mamba_by_hand() -> None:
    """30 inner channels; x and two times 2 groups of 3 states; z, these, and a dt for each head."""
    assert SHAPE.mamba_inner == 30
    assert SHAPE.mamba_conv_channels == 30 + 12
    assert SHAPE.mamba_projection == 30 + 42 + 6


def test_sizes_of_a_proxy_stay_what_they_are() -> None:
    proxy = ModelShape(width=24, num_heads=4, num_kv_heads=2, mlp="swiglu", mamba_heads=3)
    shape = scaled_shape(proxy, vocab_size=256)
    assert (shape.head_dim, shape.mlp_hidden, shape.mamba_head_dim) == (6, 64, 16)
    assert shape.mamba_inner == proxy.mamba.inner
    assert shape.mamba_conv_channels == proxy.mamba.conv_channels
    assert shape.mamba_projection == proxy.mamba.projection_width
    assert (shape.vocab_size, shape.embedding_std) == (256, 0.1)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"num_kv_heads": 3}, "num_kv_heads must divide 4, got 3"),
        ({"mamba_groups": 4}, "mamba_groups must divide 6, got 4"),
        ({"head_dim": 5}, "rotary needs an even head_dim, got 5"),
        ({"mlp_hidden": 0}, "mlp_hidden must be positive, got 0"),
        ({"mlp": "relu"}, "mlp must be one of gelu, swiglu, relu2, got 'relu'"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(wrong: dict[str, int], words: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        replace(SHAPE, **wrong)
    assert str(caught.value) == words


def test_an_odd_head_is_fine_without_rotary_positions() -> None:
    assert replace(SHAPE, head_dim=5, rotary=False).head_dim == 5
