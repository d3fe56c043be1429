"""`nasarena compare`: every searcher x seed under one budget, then what is concluded.

Only what is missing is run: a finished cell is skipped, a partial one goes on where it stopped, a
failed one is left alone unless asked for, and a folder of another configuration is refused.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from nasarena.experiments.cell import REFERENCES, Cell, config_of, make_proxy
from nasarena.experiments.config import CompareConfig, SearcherConfig, searcher_options
from nasarena.experiments.display import Display
from nasarena.experiments.provenance import command_line, provenance
from nasarena.experiments.registry import load_searcher
from nasarena.experiments.workers import Progress, run_cells
from nasarena.search.budget import Budget
from nasarena.search.errors import InvalidSetting, RunFolderRefused
from nasarena.search.proxy import Proxy, mean_cost
from nasarena.search.run_folder import State, config_hash, read_run
from nasarena.search.searcher import build_searcher
from nasarena.search.seeding import stream


def compare(config: CompareConfig) -> int:
    """Run what is missing, write table, figures and report, print the ranking.

    Returns the exit code: 0, or 1 when no cell could be finished.
    """
    started = time.monotonic()
    proxy = make_proxy(config.proxy, config.space, config.cache)
    budget = config.budget.resolve(proxy)
    _check_budget(budget, proxy)
    cells = _cells(config, proxy, budget)
    missing = [cell for cell in cells if _is_wanted(cell, proxy, config.retry_failed)]
    folder = cells[0].folder.parent.parent
    display = Display(cells, missing, budget, folder)
    troubles = _run(missing, config.workers, display)
    return display.conclude(troubles, command_line(), time.monotonic() - started)


def _run(missing: Sequence[Cell], num_workers: int, display: Display) -> list[Progress]:
    """Run the cells under the live display; what did not finish comes back."""
    troubles = []
    workers = num_workers or len(os.sched_getaffinity(0))
    with display:
        for progress in run_cells(missing, provenance(), workers):
            display.update(progress)
            if progress.state not in ("running", "finished"):
                troubles.append(progress)
    return troubles


def _cells(config: CompareConfig, proxy: Proxy, budget: Budget) -> list[Cell]:
    """All cells, seed by seed, so that pairs of searchers are complete early."""
    searchers = [_searcher(name, config) for name in config.searchers]
    for name in config.options:
        if name not in config.searchers:
            raise InvalidSetting(f"options.{name} is given, but searchers has no {name!r}")
    if config.references and set("AMS") >= set(config.space.alphabet):
        searchers = [SearcherConfig(REFERENCES), *searchers]
    folder = Path(config.runs) / (config.name or _default_name(config, proxy, budget))
    return [
        Cell(
            folder / searcher.name / f"seed-{seed}",
            searcher,
            config.proxy,
            config.space,
            budget,
            config.loop,
            seed,
            config.cache,
        )
        for seed in config.seed_list
        for searcher in searchers
    ]


def _searcher(name: str, config: CompareConfig) -> SearcherConfig:
    """A searcher by name or path, found and built once here so that a fault shows at once."""
    spec = load_searcher(name)
    is_file = ".py:" in name
    options = {**searcher_options(name), **config.options.get(name, {})}
    build_searcher(spec, config.space, stream(0, "trial build"), options, num_trials=100)
    own_name = name.rpartition(":")[2] if is_file else name
    return SearcherConfig(own_name, name if is_file else None, options)


def _check_budget(budget: Budget, proxy: Proxy) -> None:
    """Say before anything starts that not even the cheapest pattern fits."""
    cheapest = min(
        budget.price(proxy.cost(letter * proxy.space.depth)) for letter in proxy.space.alphabet
    )
    if cheapest > budget.amount:
        average = budget.price(mean_cost(proxy))
        raise InvalidSetting(
            f"the budget is too small for one trial: budget.amount is {budget.amount:.6g} "
            f"{budget.unit}, a pattern takes {average:.6g} on average; raise it"
        )


def _is_wanted(cell: Cell, proxy: Proxy, retry_failed: bool) -> bool:
    state = state_of(cell, proxy)
    return state in ("missing", "partial") or (state == "failed" and retry_failed)


def state_of(cell: Cell, proxy: Proxy) -> State:
    """Where a cell stands; RunFolderRefused if its folder holds something else."""
    if not (cell.folder / "run.json").exists():
        return "missing"
    record = read_run(cell.folder)
    spec = load_searcher(cell.searcher.path or cell.searcher.name)
    if record.header["config_hash"] != config_hash(config_of(cell, spec, proxy)):
        raise RunFolderRefused(
            f"{cell.folder} holds a run of another configuration; "
            f"choose another name= or remove the folder"
        )
    return record.state


def _default_name(config: CompareConfig, proxy: Proxy, budget: Budget) -> str:
    """Proxy and a hash of what all cells share, so that other settings never meet in a folder."""
    shared = [proxy.version, str(config.space), str(budget), str(config.loop)]
    return f"{config.proxy['name']}-{config_hash({'shared': shared})[:6]}"
