"""A grid: patterns x sizes x seeds, each cell with all its budgets from one trunk.

What a budget says in tokens is worked out here. A budget in FLOPs gives every pattern and size its
own number of tokens, FLOPs / (FLOPs of a token); one in tokens a parameter gives all patterns of a
size the same. Tokens are rounded to whole steps.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from nasarena.experiments.grid.patterns import make_patterns
from nasarena.experiments.grid.sizes import GridSize, make_sizes
from nasarena.experiments.scaling.sizes import count_parameters, training_flops
from nasarena.experiments.settings.scale_settings import ScaleConfig
from nasarena.proxies.data.text_data import text_task
from nasarena.proxies.scaled.scaled_settings import Budget
from nasarena.search.errors import InvalidSetting
from nasarena.search.hashes import config_hash
from nasarena.search.notation import run_lengths

_SWEEP_SEED = 1_000_000  # that no cell has, however many seeds are added later
_LONGEST_NAME = 200  # of a folder


@dataclass(frozen=True, slots=True)
class GridCell:
    """One training: `pattern` as trained, `base` as it was before it was extrapolated."""

    label: str
    base: str
    pattern: str
    size: GridSize
    seed: int
    length: int
    budgets: tuple[Budget, ...]
    place: Path  # within the folder of the grid

    @property
    def tokens_per_step(self) -> int:
        return self.size.train.batch_size * self.length

    @property
    def tokens(self) -> list[int]:
        """Of each budget."""
        return [budget.steps * self.tokens_per_step for budget in self.budgets]

    @property
    def num_steps(self) -> int:
        """Of the trunk and all decays."""
        decays = sum(budget.steps - budget.branch for budget in self.budgets)
        return self.budgets[-1].branch + decays

    @property
    def flops_per_step(self) -> int:
        return self.flops(self.tokens_per_step)

    def flops(self, num_tokens: int) -> int:
        """Of a training on so many tokens, from its first step to its end."""
        return training_flops(self.pattern, self.size.shape, num_tokens, self.length)

    @property
    def params_counted(self) -> int:
        return count_parameters(self.pattern, self.size.shape)

    @property
    def params_all(self) -> int:
        return count_parameters(self.pattern, self.size.shape, "all")

    @property
    def words(self) -> str:
        return f"{self.label}, {self.size.name}, seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Grid:
    """All cells, those of the first size first; `sizes` and `patterns` as they were asked for."""

    patterns: dict[str, str]
    sizes: list[GridSize]
    cells: list[GridCell]


def make_grid(config: ScaleConfig) -> Grid:
    """The grid of these settings. Raises InvalidSetting for whatever cannot be trained."""
    task = text_task(config.data, config.train.batch_size)
    sizes = make_sizes(config.sizes, task.vocab_size, config.train, config.law)
    patterns = make_patterns(config)
    cells = [
        make_cell(config, label, pattern, size, config.first_seed + i)
        for size in sizes
        for i in range(config.seeds)
        for label, pattern in patterns.items()
    ]
    text_task(config.data, max(size.train.batch_size for size in sizes))  # refuses too little text
    return Grid(patterns, sizes, cells)


def make_cell(
    config: ScaleConfig, label: str, base: str, size: GridSize, seed: int, folder: str = "cells"
) -> GridCell:
    """One cell with all budgets."""
    rule = config.extrapolate
    pattern = base if rule == "none" else size.extrapolate(base, rule)
    name = run_lengths(base)
    if len(name) > _LONGEST_NAME:
        name = config_hash({"pattern": base})
    place = Path(folder) / size.name / name / f"seed-{seed}"
    made = GridCell(label, base, pattern, size, seed, config.data.length, (), place)
    try:
        budgets = {
            size.train.budget(num_tokens, made.tokens_per_step)
            for num_tokens in _num_tokens(config, made)
        }
    except InvalidSetting as error:
        raise InvalidSetting(f"{run_lengths(base)} at {size.name}: {error}") from error
    return replace(made, budgets=tuple(sorted(budgets, key=lambda one: one.steps)))


def _num_tokens(config: ScaleConfig, cell: GridCell) -> list[int]:
    per_unit = {
        "tokens": 1.0,
        "flops": 1 / (cell.flops(config.data.length) / config.data.length),
        "tokens_per_parameter": float(cell.size.parameters),
    }[config.unit]
    return [round(amount * per_unit) for amount in config.budgets]


def with_rates(grid: Grid, factors: dict[str, float]) -> Grid:
    """The grid with the learning rate of each size times its factor, where it has one."""
    sizes = {size.name: _with_rate(size, factors.get(size.name, 1.0)) for size in grid.sizes}
    cells = [replace(cell, size=sizes[cell.size.name]) for cell in grid.cells]
    return Grid(grid.patterns, list(sizes.values()), cells)


def _with_rate(size: GridSize, factor: float) -> GridSize:
    rate = float(f"{size.train.learning_rate * factor:.3g}")
    return replace(size, train=replace(size.train, learning_rate=rate))


def sweep_cells(config: ScaleConfig, grid: Grid) -> dict[str, list[GridCell]]:
    """By size the first pattern with every factor of the rate, on a seed that no cell has."""
    if not config.sweep:
        return {}
    label, pattern = next(iter(grid.patterns.items()))
    return {
        size.name: [
            make_cell(
                config, label, pattern, _with_rate(size, factor), _SWEEP_SEED, f"sweep/x{factor:g}"
            )
            for factor in config.sweep
        ]
        for size in grid.sizes
    }
