"""One cell of a comparison: a searcher, a proxy, a space, a budget and a seed, made and run.

A cell is plain values, so that it can be sent to a worker process. Its `config` is written into
`run.json`: all that its events depend on, whose hash a run folder is checked against.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nasarena.agents.llm.client import Client
from nasarena.agents.notebook import write_notebook
from nasarena.experiments.comparison.hand_over import HandOver, Part, RecordedAsks
from nasarena.experiments.comparison.llm import Access, recording
from nasarena.experiments.comparison.permuted import Permutation, PermutedLetters
from nasarena.experiments.comparison.resolved_searcher import RECORD, Entrant
from nasarena.experiments.comparison.seeded import PROVENANCE, Seeded, seed_patterns
from nasarena.experiments.execution.scoring import BuildProxy, build_proxy
from nasarena.experiments.settings.choices import ProxyConfig
from nasarena.experiments.settings.registry import load_searcher
from nasarena.search.budget import Budget, Ledger
from nasarena.search.candidates.protocol import Space, describe_space
from nasarena.search.errors import InvalidSetting
from nasarena.search.incumbent import takes_over
from nasarena.search.journal import Journal
from nasarena.search.loop import LoopSettings, load_finished_search, search
from nasarena.search.retraining import NameFinalists, best_patterns, retrain_best
from nasarena.search.run_folder import RunFolder, read_run
from nasarena.search.searcher import Searcher, build_searcher
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

_GIVEN = ("initial_design", PROVENANCE)  # trials that come before the searcher's own


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What one run is made of; `num_trials` is how many average patterns the budget pays for.

    `access` leads to the language model of an agent. `judge` is the proxy that trains the best
    patterns again, with its version, where it is not the one searched.
    """

    path: Path
    entrant: Entrant
    proxy: ProxyConfig
    proxy_version: str
    space: Space
    settings: LoopSettings
    num_trials: int
    cache: bool
    provenance: Mapping[str, Any] = field(repr=False)
    access: Access | None = None
    judge: tuple[ProxyConfig, str] | None = None

    @property
    def seed(self) -> int:
        return self.settings.seed

    @property
    def final_proxy(self) -> ProxyConfig:
        """What trains its best patterns again."""
        return self.judge[0] if self.judge else self.proxy

    @property
    def name(self) -> str:
        """As a person names it."""
        return f"{self.entrant.label} seed {self.seed}"

    @property
    def config(self) -> dict[str, Any]:
        """Everything that the events of this run depend on, as plain values."""
        loop = asdict(self.settings)
        budget = loop.pop("budget")
        llm = {"llm": dict(self.access.identity)} if self.access else {}
        judge = {"final_proxy": _with_version(*self.judge)} if self.judge else {}
        return {
            "searcher": self.entrant.config(),
            "proxy": _with_version(self.proxy, self.proxy_version),
            **judge,
            "space": describe_space(self.space),
            "budget": budget,
            "loop": loop,
            **llm,
        }

    def open(self) -> RunFolder:
        """The run folder, for writing. Raises RunFolderRefused where it holds another run."""
        notes = {"llm": dict(self.access.notes)} if self.access else {}
        return RunFolder(self.path, self.config, {**self.provenance, **notes})


@dataclass(frozen=True, slots=True)
class Advance:
    """How far a run is: trials settled, share of the budget spent, best search score."""

    num_trials: int = 0
    share: float = 0.0
    best: float | None = None

    def after(self, trial: Trial, spent: float, budget: Budget) -> "Advance":
        """This run one trial later."""
        best = trial.score if takes_over(trial, self.best) else self.best
        return Advance(self.num_trials + 1, min(1.0, spent / budget.amount), best)


def _with_version(proxy: ProxyConfig, version: str) -> dict[str, Any]:
    return {"name": proxy.name, "options": proxy.options, "version": version}


def search_cell(
    cell: RunSpec, report: Callable[[Advance], None], build: BuildProxy = build_proxy
) -> Advance:
    """Search a cell to its end, from wherever its folder stands; raises what `search` raises."""
    proxy = build(cell.proxy, cell.space, cell.cache)
    bound = cell.entrant.max_parallel
    loop, advance = cell.settings, Advance()

    def watch(trial: Trial, ledger: Ledger) -> None:
        nonlocal advance
        advance = advance.after(trial, ledger.spent, loop.budget)
        report(advance)

    with _leave_nothing_if_refused(cell), ExitStack() as stack:
        journal = Journal(stack.enter_context(cell.open()))
        client = stack.enter_context(_client(cell, journal))
        make = partial(make_searcher, cell, client)
        try:
            found = search(journal, make, proxy, loop, max_parallel=bound, watch=watch)
        finally:
            if cell.access is not None:
                _keep_notebook(cell)
    advance = Advance()
    for trial in found.trials:  # anew, for a search that had ended before is not watched again
        advance = advance.after(trial, journal.search_spending, loop.budget)
    return advance


@contextmanager
def _leave_nothing_if_refused(cell: RunSpec) -> Iterator[None]:
    """A setting that cannot work leaves no run behind, if it is found before the searcher's first
    trial: the same command with a better value begins afresh."""
    is_new = not cell.path.exists()
    try:
        yield
    except InvalidSetting:
        if is_new and all(trial.provenance in _GIVEN for trial in read_run(cell.path).trials()):
            shutil.rmtree(cell.path)
            with suppress(OSError):  # other seeds lie there
                cell.path.parent.rmdir()
        raise


def conclude_cells(cells: Sequence[RunSpec], build: BuildProxy = build_proxy) -> None:
    """Train the best patterns of cells that were searched again, in one population.

    They are cells of one comparison: what trains them is the same for all. Where that is another
    proxy, the one searched is a benchmark and knows what the other patterns are worth.
    """
    proxy = build(cells[0].final_proxy, cells[0].space, cells[0].cache)
    with ExitStack() as stack:
        folders = [stack.enter_context(cell.open()) for cell in cells]
        runs = [
            load_finished_search(
                folder, cell.settings, _finalists(cell), trains_others=cell.judge is None
            )
            for folder, cell in zip(folders, cells, strict=True)
        ]
        retrain_best(runs, proxy)


def _finalists(cell: RunSpec) -> NameFinalists:
    """The rule by which a run's patterns are named that are trained again."""
    if cell.settings.finalists_by == "score" or not isinstance(cell.space, PatternSpace):
        return best_patterns  # the model is one of letters
    from nasarena.search.models.finalists import name_finalists

    return partial(name_finalists, cell.space)


def _client(cell: RunSpec, journal: Journal) -> AbstractContextManager[Client | None]:
    return nullcontext() if cell.access is None else recording(cell.access, journal)


def make_searcher(cell: RunSpec, client: Client | None, rng: np.random.Generator) -> Searcher:
    """The searcher of a cell, behind its control; `client` asks an agent's model."""
    if cell.entrant.parts:
        built: Searcher = _two_searchers(cell, client, rng)
    else:
        built = _one_searcher(cell, cell.entrant, client, rng, cell.num_trials)
    if not isinstance(cell.space, PatternSpace):
        return built  # the controls are of letters; planning refuses them
    if cell.entrant.control == "permuted_letters":
        return PermutedLetters(built, Permutation.of_seed(cell.space.alphabet, cell.seed))
    if cell.entrant.control == "seeded":
        return Seeded(built, seed_patterns(cell.space))
    return built


def _one_searcher(
    cell: RunSpec,
    entrant: Entrant,
    client: Client | None,
    rng: np.random.Generator,
    num_trials: int,
) -> Searcher:
    spec, options = entrant.spec(), dict(entrant.options)
    if spec.uses_llm and "inner" in options:
        options["inner"] = partial(_inner, options["inner"])
    return build_searcher(spec, cell.space, rng, options, num_trials=num_trials, llm=client)


def _two_searchers(cell: RunSpec, client: Client | None, rng: np.random.Generator) -> HandOver:
    """The first begins as it would alone; the second has a random stream of its own."""
    first, then = cell.entrant.parts
    share, budget = cell.entrant.options["share"], cell.settings.budget
    if first.target == RECORD:
        beginning = Part(first.name, RecordedAsks(first.asks))
    else:
        own_trials = max(1, round(share * cell.num_trials))
        searcher = _one_searcher(cell, first, client, rng, own_trials)
        beginning = Part(first.name, searcher, first.max_parallel)
    other = stream(cell.seed, "searcher", "then")
    searcher = _one_searcher(cell, then, client, other, cell.num_trials)
    end = Part(then.name, searcher, then.max_parallel)
    return HandOver(beginning, end, budget, share * budget.amount)


def _inner(wanted: Mapping[str, Any], space: Space, rng: np.random.Generator) -> Searcher:
    """The classical half of a hybrid."""
    return build_searcher(load_searcher(wanted["name"]), space, rng, wanted["options"])


def _keep_notebook(cell: RunSpec) -> None:
    """Also of a run that was cut off; a full disk has been complained about already."""
    with suppress(OSError):
        write_notebook(read_run(cell.path), cell.entrant.noise)
