"""`nasarena scale`: patterns x sizes x budgets x seeds, trained cell by cell.

Finished cells are kept, those that were cut off go on from their checkpoints. A cell that fails
leaves the others alone. Under `torchrun` all processes train one cell after the other together.
"""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from nasarena.experiments.execution.console import make_console
from nasarena.experiments.execution.pool import News, Pool, results
from nasarena.experiments.execution.provenance import command_line, provenance
from nasarena.experiments.execution.workers import LocalPool
from nasarena.experiments.grid.cell_task import measure_peak
from nasarena.experiments.grid.cells import Grid, GridCell, make_grid, sweep_cells
from nasarena.experiments.grid.display import GridDisplay, show_losses, show_plan
from nasarena.experiments.grid.events import require_tensorboard
from nasarena.experiments.grid.folder import GridFolder, grid_folder, open_grid
from nasarena.experiments.grid.joint_pool import follow, open_joint_pool
from nasarena.experiments.grid.scores import score_table
from nasarena.experiments.grid.training import choose_rates, estimate_time, train_cells
from nasarena.experiments.settings.commands import scale_settings
from nasarena.experiments.settings.scale_settings import ScaleConfig
from nasarena.proxies.scaled.distributed.ranks import is_launched, torchrun_rank
from nasarena.proxies.scaled.engine_choice import choose_joint_engine
from nasarena.search.machine import default_to_one_thread

_REFERENCE = "Llama 3.2"  # what the others are compared with at equal tokens, where it is trained


def scale(arguments: Sequence[str]) -> int:
    """0, or 2 where a training failed."""
    default_to_one_thread()
    if torchrun_rank() > 0:
        follow()
        return 0
    config, console = scale_settings(arguments), make_console()
    if config.tensorboard:
        require_tensorboard()
    if is_launched():  # recorded, for one process without torchrun would take another
        config = replace(config, engine=choose_joint_engine(config.engine))
    grid = make_grid(config)
    with open_joint_pool() if is_launched() else LocalPool(config.workers) as pool:
        if config.plan:
            _plan(grid, config, GridFolder(grid_folder(config), {}), pool, console)
            return 0
        with open_grid(config, provenance(command_line(["scale", *arguments]))) as folder:
            failures = _train(grid, config, folder, pool, console)
            if config.report:
                _report(grid, folder, console)
    return 2 if failures else 0


def _plan(
    grid: Grid, config: ScaleConfig, folder: GridFolder, pool: Pool, console: Console
) -> float | None:
    """Say what is to be done and how long it takes; the peak of a core, None for a GPU."""
    swept = [cell for cells in sweep_cells(config, grid).values() for cell in cells]
    everything = [*swept, *grid.cells]
    waiting = _select_unfinished(everything, folder)
    peak = results([measure_peak], pool)[0] if waiting and config.device == "cpu" else None
    estimate = estimate_time(waiting, config, pool)
    show_plan(grid, len(everything), folder.path, estimate, peak, pool.num_workers, console)
    return peak


def _train(
    grid: Grid, config: ScaleConfig, folder: GridFolder, pool: Pool, console: Console
) -> dict[Path, str]:
    """Train what is missing, the sweep first; what failed, by place."""
    scores = score_table(config.scores, grid.patterns)
    folder.write_header(grid, scores, [])
    peak = _plan(grid, config, folder, pool, console)
    failures: dict[Path, str] = {}

    def train(cells: Sequence[GridCell]) -> None:
        waiting = _select_unfinished(cells, folder)
        with GridDisplay(waiting, peak, console) as display:

            def watch(cell: GridCell, news: News) -> None:
                display.update(cell, news)
                if news.kind != "working":
                    folder.write_table(grid, failures)

            train_cells(waiting, config, folder.path, pool, failures, watch, peak)

    train([cell for cells in sweep_cells(config, grid).values() for cell in cells])
    failures.clear()  # a rate that diverges is not chosen
    grid, sweep = choose_rates(grid, config, folder)
    folder.write_header(grid, scores, sweep)
    train(grid.cells)
    folder.write_table(grid, failures)
    show_losses(grid, folder, failures, console)
    console.print(f"[bold]{folder.path / 'scale.csv'}[/bold]", soft_wrap=True)
    return failures


def _report(grid: Grid, folder: GridFolder, console: Console) -> None:
    """Draw the figures and fit the laws, if anything was trained."""
    from nasarena.figures.scaling_report import write_scaling

    if not any(folder.results(cell) for cell in grid.cells):
        return
    path, scores = folder.path, folder.path / "scores.csv"
    reference = _REFERENCE if _REFERENCE in grid.patterns else None
    words = ["python", "-m", "nasarena.figures.scaling_report", f"{path / 'scale.csv'}", f"{path}"]
    words += [] if reference is None else ["--reference", reference]
    is_scored = len(scores.read_text().splitlines()) > 1
    words += ["--scores", str(scores)] if is_scored else []
    files = write_scaling(
        path / "scale.csv", path, shlex.join(words), reference=reference,
        scores=scores if is_scored else None,
    )  # fmt: skip
    console.print(f"[bold]{files[-1]}[/bold]", soft_wrap=True)


def _select_unfinished(cells: Sequence[GridCell], folder: GridFolder) -> list[GridCell]:
    return [cell for cell in cells if not folder.is_finished(cell)]
