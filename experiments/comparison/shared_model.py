"""One language model for all runs of a command that need one: of a comparison, or of several.

No server is started or asked where the searches of all such runs have ended.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from nasarena.agents.llm.serving_size import Load
from nasarena.experiments.comparison.llm import (
    Access,
    model_access,
    offline_access,
    replay_access,
)
from nasarena.experiments.comparison.plan import Comparison
from nasarena.experiments.comparison.resolved_searcher import Entrant
from nasarena.experiments.comparison.run_spec import RunSpec
from nasarena.experiments.settings.config import CompareConfig
from nasarena.search.budget import Budget
from nasarena.search.errors import InvalidSetting
from nasarena.search.machine import num_cores

_FORM_TOKENS = 1000  # of a prompt beside its memory: task, form, and the turn that quotes an error
_TRIAL_TOKENS = 80  # of a trial in a memory: pattern, score, name and hypothesis


@contextmanager
def with_model(
    comparison: Comparison, config: CompareConfig, console: Console, shared: Access | None = None
) -> Iterator[Comparison]:
    """The comparison with a language model for the runs that need one, while the context lasts.

    `shared` leads to one that is there already. Raises what `model_access` does.
    """
    agents = [cell for cell in comparison.cells if cell.entrant.uses_llm]
    if config.llm.name == "replay":
        accesses = {
            cell.path: replay_access(config.llm, cell.path.relative_to(comparison.folder))
            for cell in agents
        }
        yield _with_access(comparison, accesses)
    elif cells_that_ask(comparison, config.retry_failed):
        with open_shared_access([comparison], config, comparison.folder, console, shared) as access:
            assert access is not None, "there are runs that ask"
            _refuse_free_calls(access, comparison.budget)
            yield _with_access(comparison, {cell.path: access for cell in agents})
    else:
        records = {cell.path: comparison.records.of(cell.path) for cell in agents}
        accesses = {
            path: offline_access(config.llm, record) for path, record in records.items() if record
        }
        yield _with_access(comparison, accesses)


@contextmanager
def open_shared_access(
    comparisons: Sequence[Comparison],
    config: CompareConfig,
    folder: Path,
    console: Console,
    shared: Access | None = None,
) -> Iterator[Access | None]:
    """Access to the model of all these comparisons, `shared` where there is one; None where none of
    their runs asks. A server of ours keeps its log below `folder`."""
    asking = [cell for each in comparisons for cell in cells_that_ask(each, config.retry_failed)]
    if shared is not None or not asking or config.llm.name == "replay":
        yield shared
    else:
        load = foresee_load(asking, config.workers)
        with model_access(config.llm, folder, console, load) as access:
            yield access


def cells_that_ask(comparison: Comparison, retry_failed: bool) -> list[RunSpec]:
    """The runs to do that will ask a language model."""
    found = []
    for cell in comparison.select_pending(retry_failed):
        record = comparison.records.of(cell.path) if cell.entrant.uses_llm else None
        if cell.entrant.uses_llm and not (record is not None and record.is_searched):
            found.append(cell)
    return found


def _with_access(comparison: Comparison, accesses: Mapping[Path, Access]) -> Comparison:
    cells = [replace(cell, access=accesses.get(cell.path)) for cell in comparison.cells]
    return replace(comparison, cells=cells)


def _refuse_free_calls(access: Access, budget: Budget) -> None:
    if budget.charge_llm and budget.unit == "flops" and not access.identity["active_params"]:
        raise InvalidSetting(
            f"budget.charge_llm needs to know how many parameters of {access.identity['model']} "
            f"work on a token: give llm.active_params"
        )


def foresee_load(cells: Sequence[RunSpec], workers: int | None) -> Load:
    """The load of these runs; a compact prompt is that of a small model, and short."""
    longest = (_longest(one, cell.num_trials) for cell in cells for one in _parts(cell.entrant))
    return Load(min(len(cells), workers or num_cores()), max(longest, default=0))


def _parts(entrant: Entrant) -> Iterable[Entrant]:
    return [one for one in entrant.parts or (entrant,) if one.uses_llm]


def _longest(entrant: Entrant, num_trials: int) -> int:
    """Tokens of the longest prompt with its reply; a history is no longer than its run."""
    options = entrant.options
    if options.get("prompt") == "compact" or "memory_tokens" not in options:
        return 0
    memory = min(options["memory_tokens"], num_trials * _TRIAL_TOKENS)
    return int(memory + options.get("max_tokens", 0) + _FORM_TOKENS)
