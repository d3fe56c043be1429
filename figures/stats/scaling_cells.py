"""Losses of trained models as cells (architecture, parameters, tokens), and their resampling.

A cell holds the losses of its seeds. The bootstrap puts errors on a loss without any: deviations
of seeds from their cell's mean, drawn from all trainings, since a handful of seeds in one cell says
little about its noise. Where several budgets branch off one training, their losses err together:
cells of one unit get the deviations of one training. Deviations of n seeds are stretched by
sqrt(n / (n - 1)), without which those of two seeds would vary half as much as they should.

A cell with one seed says nothing about its noise; the caller then gives residuals of a fit.

Shapes: C cells, S seeds, R repeats, G architectures.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nasarena.figures.stats.intervals import Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of all architectures; `names` has G entries, which `group` indexes.

    `losses_CS` has NaN where a seed has no loss; `unit` says whose seeds are drawn together.
    """

    names: tuple[str, ...]
    group: Ints = field(repr=False)
    params: Floats = field(repr=False)
    tokens: Floats = field(repr=False)
    losses_CS: Floats = field(repr=False)
    unit: Ints = field(repr=False)

    @property
    def means(self) -> Floats:
        """Mean loss of each cell, `(C,)`."""
        return np.asarray(np.nanmean(self.losses_CS, axis=1))

    @property
    def num_seeds(self) -> Ints:
        """Seeds with a loss in each cell, `(C,)`."""
        return np.asarray((~np.isnan(self.losses_CS)).sum(axis=1))

    @property
    def has_seeds(self) -> bool:
        """Whether every cell has two seeds or more: then their spread is the noise."""
        return bool((self.num_seeds > 1).all())

    @property
    def seed_noise(self) -> float:
        """Standard deviation of one loss about its cell's mean, pooled; NaN without repeats."""
        squares = np.nansum((self.losses_CS - self.means[:, None]) ** 2)
        freedom = (self.num_seeds - 1).sum()
        return float(np.sqrt(squares / freedom)) if freedom else float("nan")

    @property
    def freedom(self) -> int:
        """Independent pieces of information on the noise: of each unit its seeds less one."""
        most = [int(self.num_seeds[self.unit == unit].max()) - 1 for unit in np.unique(self.unit)]
        return sum(most)

    def only(self, chosen: NDArray[np.bool_]) -> "Cells":
        """Some of the cells, the names unchanged."""
        return Cells(
            self.names,
            self.group[chosen],
            self.params[chosen],
            self.tokens[chosen],
            self.losses_CS[chosen],
            self.unit[chosen],
        )


def make_cells(
    names: Sequence[str],
    params: Floats,
    tokens: Floats,
    seeds: Ints,
    losses: Floats,
    budgets_together: bool = True,
) -> Cells:
    """Cells of single trainings, all `(n,)`; `names` are their architectures.

    With `budgets_together` all tokens of one architecture, size and seed are one training's.
    """
    order = tuple(dict.fromkeys(names))
    group = np.array([order.index(name) for name in names])
    columns = np.column_stack([group, params, tokens])
    keys, cell = np.unique(columns, axis=0, return_inverse=True)
    _, seed = np.unique(seeds, return_inverse=True)
    table = np.full((len(keys), int(seed.max()) + 1), np.nan)
    table[cell.reshape(-1), seed] = losses
    _, unit = np.unique(keys[:, : 2 if budgets_together else 3], axis=0, return_inverse=True)
    return Cells(
        order, keys[:, 0].astype(np.int64), keys[:, 1], keys[:, 2], table, unit.reshape(-1)
    )


def resample(
    cells: Cells,
    base: Floats,
    rng: np.random.Generator,
    num_repeats: int,
    deviations_CS: Floats | None = None,
) -> Floats:
    """Mean losses of every cell in each repeat, `(R, C)`: `base` `(C,)` and the mean of errors.

    Errors are rows of the pool: whole trainings, each with its deviations at all its budgets, of
    any architecture and size. A unit with fewer budgets than the row takes the first of it.
    """
    pool = deviations(cells) if deviations_CS is None else deviations_CS
    members = [np.flatnonzero(cells.unit == unit) for unit in np.unique(cells.unit)]
    rows = [pool[cells_U, seed] for cells_U in members for seed in range(pool.shape[1])]
    rows = [row for row in rows if not np.isnan(row).any()]
    repeats = np.tile(base, (num_repeats, 1))
    for cells_U in members:
        long_enough = np.array([row[: len(cells_U)] for row in rows if len(row) >= len(cells_U)])
        count = int(cells.num_seeds[cells_U].max())
        drawn = rng.integers(len(long_enough), size=(num_repeats, count))
        repeats[:, cells_U] += long_enough[drawn].mean(axis=1)
    return repeats


def deviations(cells: Cells) -> Floats:
    """Deviations of seeds from their cell's mean with the variance of one training, `(C, S)`."""
    count = cells.num_seeds
    stretch = np.sqrt(count / np.maximum(count - 1, 1))
    return np.asarray((cells.losses_CS - cells.means[:, None]) * stretch[:, None])
