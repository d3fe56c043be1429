"""One cell of a comparison: a searcher, a proxy, a space, a budget and a seed, made and run.

A cell is plain values, so that it can be sent to a worker process and written into `run.json`: its
`config` is all that its result depends on, its hash is what a run folder is checked against.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nasarena.experiments.config import LoopConfig, SearcherConfig
from nasarena.experiments.registry import load_proxy, load_searcher
from nasarena.search.budget import Budget, Ledger
from nasarena.search.errors import InvalidSetting
from nasarena.search.loop import LoopSettings, run_search
from nasarena.search.proxy import Proxy, mean_cost
from nasarena.search.run_folder import RunFolder
from nasarena.search.searcher import Searcher, SearcherSpec, build_searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

REFERENCES = "references"
Watch = Callable[[Trial, Ledger], None]


@dataclass(frozen=True, slots=True)
class Cell:
    """What one run is made of. `folder` is where it is kept."""

    folder: Path
    searcher: SearcherConfig
    proxy: Mapping[str, Any]
    space: PatternSpace
    budget: Budget
    loop: LoopConfig
    seed: int
    cache: bool = True

    @property
    def key(self) -> str:
        """Searcher and seed, as a person names the cell."""
        return f"{self.searcher.name} seed {self.seed}"

    def settings(self) -> LoopSettings:
        """The loop's settings; reference patterns are all scored and all trained again."""
        settings = self.loop.resolve(self.seed, self.budget)
        if self.searcher.name != REFERENCES:
            return settings
        values = {**asdict(settings), "initial_design": 0, "top_k": 1000}
        return LoopSettings(**{**values, "budget": Budget("trials", 1000)})


def make_proxy(settings: Mapping[str, Any], space: PatternSpace, cache: bool) -> Proxy:
    """The proxy of a configuration, with the evaluation cache around it if wanted."""
    from nasarena.proxies.cache import CachedProxy

    name = settings["name"]
    factory = load_proxy(name)
    is_trained = "train" in settings
    values = dict(settings) if is_trained else {k: v for k, v in settings.items() if k != "name"}
    try:
        proxy: Proxy = factory(space, **values)
    except TypeError as error:
        raise InvalidSetting(f"proxy {name!r}: {error}") from error
    # A landscape answers faster than its cache would.
    return CachedProxy(proxy) if cache and is_trained else proxy


def config_of(cell: Cell, spec: SearcherSpec, proxy: Proxy) -> dict[str, Any]:
    """Everything that the events of a cell depend on, as plain values."""
    defaults = {**spec.options(), **cell.searcher.options}
    searcher = {
        "name": cell.searcher.name,
        "options": defaults,
        "budget_aware": spec.budget_aware,
        "uses_llm": spec.uses_llm,
    }
    if cell.searcher.path:
        file = cell.searcher.path.rpartition(":")[0]
        source = hashlib.sha256(Path(file).expanduser().read_bytes()).hexdigest()[:16]
        searcher |= {"path": cell.searcher.path, "source": source}
    return {
        "searcher": searcher,
        "proxy": {**_plain(cell.proxy), "version": proxy.version},
        "space": asdict(cell.space),
        "budget": asdict(cell.settings().budget),
        "loop": {"seed": cell.seed, **asdict(cell.loop)},
    }


def run_cell(
    cell: Cell,
    provenance: Mapping[str, Any],
    proxy: Proxy | None = None,
    watch: Watch | None = None,
) -> list[Trial]:
    """Run a cell to its end from wherever its folder stands; see `run_search` for what it raises."""
    proxy = proxy or make_proxy(cell.proxy, cell.space, cell.cache)
    spec = load_searcher(cell.searcher.path or cell.searcher.name)
    settings = cell.settings()
    num_trials = average_trials(cell.budget, proxy) if spec.budget_aware else None

    def make(rng: np.random.Generator) -> Searcher:
        options = cell.searcher.options
        return build_searcher(spec, cell.space, rng, options, num_trials=num_trials)

    with RunFolder(cell.folder, config_of(cell, spec, proxy), provenance) as folder:
        parallel = spec.max_parallel
        return run_search(folder, make, proxy, settings, max_parallel=parallel, watch=watch)


def average_trials(budget: Budget, proxy: Proxy) -> int:
    """How many trials of average cost a budget pays for."""
    return max(1, int(budget.amount / budget.price(mean_cost(proxy)) + 1e-9))


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _plain(v) if isinstance(v, Mapping) else v for k, v in values.items()}
