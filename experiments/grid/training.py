"""Training a grid in worker processes: what is missing of it, and how long that will take."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasarena.experiments.execution.pool import News, Pool, Queue, results
from nasarena.experiments.grid.cell_task import CellTask, How, TimedSteps
from nasarena.experiments.grid.cells import Grid, GridCell, sweep_cells, with_rates
from nasarena.experiments.grid.folder import GridFolder
from nasarena.experiments.settings.scale_settings import ScaleConfig
from nasarena.search.errors import NasArenaError, ProxyFailed
from nasarena.search.untrusted.one_line import one_line

Watch = Callable[[GridCell, News], None]
_LARGEST_TIMED = 20_000_000  # parameters; beyond that a step takes a CPU too long


def how_of(config: ScaleConfig, peak: float | None = None) -> How:
    """What trains the cells of these settings; `peak` as in `How`."""
    return How(config.engine, config.device, config.checkpoint_every, config.tensorboard, peak)


def train_cells(
    cells: Sequence[GridCell],
    config: ScaleConfig,
    root: Path,
    pool: Pool,
    failures: dict[Path, str],
    watch: Watch,
    peak: float | None = None,
) -> None:
    """Train cells; `failures` gets what went wrong with a cell, by its place; `peak` as in `How`.

    A loss that diverges, a damaged checkpoint, a full disk and a worker's death cost their own
    cell. Raises NasArenaError for what the settings are wrong about: other code, another device.
    """
    tasks = [CellTask(cell, config.data, how_of(config, peak), root) for cell in cells]
    with closing(pool.run_tasks(Queue(tasks))) as stream:
        for news in stream:
            cell = cells[news.task]
            if news.kind == "refused" and not isinstance(news.value, ProxyFailed):
                raise news.value
            if news.kind in ("refused", "crashed", "killed"):
                failures[cell.place] = _reason(news)
            watch(cell, news)


def _reason(news: News) -> str:
    if news.kind == "crashed":  # a fault of ours keeps its traceback
        print(news.value, file=sys.stderr)
        return one_line(news.value.strip().splitlines()[-1])
    return one_line(f"its process ended: {news.value}" if news.kind == "killed" else news.value)


def choose_rates(
    grid: Grid, config: ScaleConfig, folder: GridFolder
) -> tuple[Grid, list[dict[str, Any]]]:
    """The grid with each size's best learning rate of the sweep, and a row for each rate tried.

    Best is the least held-out loss after the largest budget. Raises NasArenaError where no rate of
    a size gave a loss.
    """
    rows: list[dict[str, Any]] = []
    best: dict[str, float] = {}
    for size, cells in sweep_cells(config, grid).items():
        losses = [_last_loss(folder, cell) for cell in cells]
        if min(losses) == float("inf"):
            raise NasArenaError(
                f"no rate of the sweep trains {size}: try smaller factors, got {config.sweep}"
            )
        best[size] = config.sweep[losses.index(min(losses))]
        rows += [
            {
                "size": size,
                "pattern": cell.pattern,
                "factor": factor,
                "learning_rate": cell.size.train.learning_rate,
                "tokens": cell.tokens[-1],
                "loss": loss if loss < float("inf") else None,
                "chosen": factor == best[size],
            }
            for factor, cell, loss in zip(config.sweep, cells, losses, strict=True)
        ]
    return with_rates(grid, best), rows


def _last_loss(folder: GridFolder, cell: GridCell) -> float:
    result = folder.results(cell).get(cell.budgets[-1].steps)
    return float("inf") if result is None else result.loss


@dataclass(frozen=True, slots=True)
class Estimate:
    """FLOPs of what is missing, the seconds it takes, and the sizes that nothing is known of."""

    num_cells: int
    flops: float
    seconds: float
    untimed: tuple[str, ...]
    rates: Mapping[str, float]  # FLOPs a second of a worker, by size


def estimate_time(cells: Sequence[GridCell], config: ScaleConfig, pool: Pool) -> Estimate:
    """From timed steps of the first and the last of `cells` at each size, workers side by side."""
    by_size: dict[str, list[GridCell]] = {}
    for cell in cells:
        by_size.setdefault(cell.size.name, []).append(cell)
    is_cpu = config.device == "cpu"
    timed = [
        cell
        for own in by_size.values()
        for cell in dict.fromkeys((own[0], own[-1]))
        if not is_cpu or cell.params_all <= _LARGEST_TIMED
    ]
    seconds = results([TimedSteps(cell, config.data, how_of(config)) for cell in timed], pool)
    rates: dict[str, list[float]] = {}
    for cell, each in zip(timed, seconds, strict=True):
        rates.setdefault(cell.size.name, []).append(cell.flops_per_step / each)
    means = {size: sum(own) / len(own) for size, own in rates.items()}
    busy_s = sum(
        flops_to_train(cell) / means[cell.size.name] for cell in cells if cell.size.name in means
    )
    untimed = tuple(size for size in by_size if size not in means)
    flops = float(sum(map(flops_to_train, cells)))
    return Estimate(len(cells), flops, busy_s / pool.num_workers, untimed, means)


def flops_to_train(cell: GridCell) -> int:
    """Of the trunk and all decays of a cell."""
    return cell.num_steps * cell.flops_per_step
