"""The sizes of a grid: small ones that a CPU can train, and the published ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from nasarena.experiments.scaling.extrapolate import (
    Extrapolation,
    extrapolate_to_depth,
    extrapolate_to_parameters,
)
from nasarena.experiments.scaling.sizes import WIDTHS, count_parameters, published_size
from nasarena.experiments.settings.scale_settings import LawSettings
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.scaled.scaled_settings import ScaledSettings
from nasarena.proxies.scaled.shape import ScaledShape, scaled_shape
from nasarena.search.errors import InvalidSetting, nearest
from nasarena.search.settings import build

SMALL_SIZES = Path(__file__).parent / "small_sizes.yaml"


@dataclass(frozen=True, slots=True)
class GridSize:
    """A size over a text's vocabulary, and how every pattern of it is trained.

    Its Transformer has `layers`, attention and MLP in turn; `is_published`: patterns are
    extrapolated to its parameters, else to its layers.
    """

    name: str
    layers: int
    shape: ScaledShape
    train: ScaledSettings
    is_published: bool

    @property
    def parameters(self) -> int:
        """N of the power law: matrices and head of the Transformer."""
        return count_parameters(self._transformer, self.shape)

    def extrapolate(self, pattern: str, rule: Extrapolation) -> str:
        """The pattern at this size. Raises InvalidSetting where no such pattern is there."""
        if not self.is_published:
            return extrapolate_to_depth(pattern, rule, self.layers)
        aim = count_parameters(self._transformer, self.shape, "layers")
        return extrapolate_to_parameters(pattern, rule, self.shape, aim)

    @property
    def _transformer(self) -> str:
        return "AM" * (self.layers // 2)


def make_sizes(
    names: Sequence[str], vocab_size: int, train: ScaledSettings, law: LawSettings
) -> list[GridSize]:
    """The sizes of these names, in their order. Raises InvalidSetting for an unknown one."""
    return [_at_law(_make_size(name, vocab_size, train), law) for name in dict.fromkeys(names)]


def _make_size(name: str, vocab_size: int, train: ScaledSettings) -> GridSize:
    small = _small()
    if name in small:
        model = build(ModelShape, small[name]["model"], f"{name}.model")
        return GridSize(name, small[name]["layers"], scaled_shape(model, vocab_size), train, False)
    published = yaml.safe_load(WIDTHS.read_text())
    if name not in published:
        raise InvalidSetting(f"no size is called {name!r}; {nearest(name, [*small, *published])}")
    found = published_size(name)
    shape = replace(found.shape, vocab_size=vocab_size)
    return GridSize(name, 2 * found.blocks, shape, train, True)


def _at_law(size: GridSize, law: LawSettings) -> GridSize:
    """With the rate and the batch that the power law gives; a batch is a sequence or more."""
    ratio = size.parameters / law.parameters
    batch = max(1, round(size.train.batch_size * ratio**law.batch_power))
    part = size.train.micro_batch
    if part is not None and batch % part:  # whole parts, for a step is made of them
        batch = max(1, round(batch / part)) * part
    rate = float(f"{size.train.learning_rate * ratio**law.rate_power:.3g}")
    return replace(size, train=replace(size.train, batch_size=batch, learning_rate=rate))


@cache
def _small() -> Mapping[str, Any]:
    sizes: Mapping[str, Any] = yaml.safe_load(SMALL_SIZES.read_text())
    return sizes
