"""Synthetic proxies: the optimum, the regret and the percentile of any pattern are known exactly.

- `additive`: a value per position and letter plus an interaction of each pair of neighbours.
- `nk`: the value of a letter depends on its K right neighbours, around the end (Kauffman and
  Weinberger 1989, adjacent neighbourhoods; normal values, not uniform). K sets the ruggedness.
- `motifs`: a product over motifs of letters far apart, like the Ehrlich functions of Stanton et al.
  (2024); few levels and wide plateaus.
"""

from dataclasses import fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nasarena.proxies.landscape import Landscape
from nasarena.proxies.spaced_motifs import SpacedMotifs
from nasarena.proxies.window_sum import WindowSum
from nasarena.search.seeding import stream
from nasarena.search.settings import settings
from nasarena.search.space import PatternSpace

GRID = 1 << 14  # table entries are multiples of 1/GRID: integers, so that sums are exact


@settings
class LandscapeSettings:
    """What all landscapes have."""

    landscape_seed: int = Field(0, ge=0, description="which landscape")
    noise: float = Field(
        0.1,
        ge=0,
        description="standard deviation of a score; the true scores have standard deviation 1",
    )
    failure_rate: float = Field(
        0.0, ge=0, lt=1, description="share of patterns that always diverge"
    )

    def common(self) -> dict[str, Any]:
        """As `Landscape` takes them."""
        return {one.name: getattr(self, one.name) for one in fields(LandscapeSettings)}


@settings
class AdditiveSettings(LandscapeSettings):
    """Standard normal letter values, pair values with standard deviation `interaction`."""

    interaction: float = Field(
        0.5,
        ge=0,
        description="standard deviation of the values of neighbouring pairs, to that of single "
        "letters",
    )

    def build(self, space: PatternSpace, name: str = "additive") -> Landscape:
        """Raises InvalidSetting for a space that cannot be solved exactly."""
        letters, depth = len(space.alphabet), space.depth
        WindowSum.check(letters, depth, 2, cyclic=False)
        rng = stream(self.landscape_seed, "landscape", "additive")
        values = rng.standard_normal((depth, letters))
        pairs = self.interaction * rng.standard_normal((depth - 1, letters, letters))
        # A window is a pair: its second letter pays its own value there, the first one with it.
        tables = pairs + values[1:, None, :]
        tables[0] += values[0][:, None]
        return Landscape(
            "additive",
            space,
            _window_sum(tables.reshape(depth - 1, -1), space),
            options={"interaction": self.interaction},
            **self.common(),
        )


@settings
class NkSettings(LandscapeSettings):
    """NK landscape, K = `neighbours`: a standard normal value per position and window of K + 1."""

    neighbours: int = Field(
        3, ge=1, description="K: how many right neighbours the value of a letter depends on"
    )

    def build(self, space: PatternSpace, name: str = "nk") -> Landscape:
        """Raises InvalidSetting for a K that cannot be solved exactly."""
        letters, depth = len(space.alphabet), space.depth
        WindowSum.check(letters, depth, self.neighbours + 1, cyclic=True)
        rng = stream(self.landscape_seed, "landscape", "nk")
        return Landscape(
            "nk",
            space,
            _window_sum(rng.standard_normal((depth, letters ** (self.neighbours + 1))), space),
            options={"neighbours": self.neighbours},
            **self.common(),
        )


@settings
class MotifsSettings(LandscapeSettings):
    """Letters far apart that must all be there: products over motifs, like Ehrlich functions."""

    motifs: int = Field(4, ge=1, description="how many motifs, with no place in common")
    length: int = Field(4, ge=2, description="letters of a motif")

    def build(self, space: PatternSpace, name: str = "motifs") -> Landscape:
        """Raises InvalidSetting for motifs that do not fit, or a space that is too large."""
        return Landscape(
            "motifs",
            space,
            _motifs(
                self.landscape_seed, self.motifs, self.length, len(space.alphabet), space.depth
            ),
            options={"motifs": self.motifs, "length": self.length},
            **self.common(),
        )


def _window_sum(tables: NDArray[np.float64], space: PatternSpace) -> WindowSum:
    integers = np.rint(tables * GRID).astype(np.int64)
    return WindowSum(integers, len(space.alphabet), space.depth)


@lru_cache(maxsize=8)
def _motifs(seed: int, num_motifs: int, length: int, letters: int, depth: int) -> SpacedMotifs:
    """One object for all runs of a process: its moments take a pass over the space."""
    rng = stream(seed, "landscape", "motifs")
    return SpacedMotifs.draw(num_motifs, length, letters, depth, rng)


def additive(space: PatternSpace, **options: Any) -> Landscape:
    """The additive landscape of these `AdditiveSettings`."""
    return AdditiveSettings(**options).build(space)


def nk(space: PatternSpace, **options: Any) -> Landscape:
    """The NK landscape of these `NkSettings`."""
    return NkSettings(**options).build(space)


def motifs(space: PatternSpace, **options: Any) -> Landscape:
    """The motif landscape of these `MotifsSettings`."""
    return MotifsSettings(**options).build(space)
