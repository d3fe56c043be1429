"""The functions of `import nasarena`: the commands, called from Python.

They take the settings of the commands by the same names, with the same defaults (what
`nasarena compare --help` lists), groups as mappings: `budget={"patterns": 24}`. What a user can
cause is raised as NasArenaError, in one line. Ctrl-C stops the workers and raises
KeyboardInterrupt; every settled trial is kept, and the same call goes on.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from nasarena.experiments.commands.check import Examination
from nasarena.experiments.commands.evaluate import outcomes_of
from nasarena.experiments.commands.figures import existing_folder
from nasarena.experiments.commands.one_comparison import (
    failures,
    report_failures,
    run_comparison,
    run_one,
)
from nasarena.experiments.commands.suite import run_suite
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.comparison.suite import is_over_landscapes, suite_folder
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.settings.commands import (
    check_settings,
    compare_settings,
    evaluate_settings,
    run_settings,
)
from nasarena.figures.suite.results import is_suite
from nasarena.outcome import Check, Comparison, Run
from nasarena.own_searchers import Entry, SearcherLike, name_entry, name_object, name_objects
from nasarena.search.errors import InvalidSetting, SearcherFailed
from nasarena.search.machine import thread_environment
from nasarena.search.notation import expand
from nasarena.search.searcher import SearcherSpec
from nasarena.suite_outcome import Suite

if TYPE_CHECKING:
    import pandas as pd

    from nasarena.search.trial import Outcome

Group = str | Mapping[str, Any]


def compare(
    searchers: Sequence[Entry] | None = None,
    *,
    proxy: Group | None = None,
    seeds: int | None = None,
    budget: Group | None = None,
    folder: str | Path | None = None,
    name: str | None = None,
    progress: bool = True,
    **settings: Any,
) -> Comparison | Suite:
    """Run every searcher on every seed under one budget, and compare.

    `searchers` are names, `my_file.py:my_searcher`, functions, generator functions, classes, or
    `{"name": one of these, "options": {...}, "label": "..."}`. A function or class is sent to the
    worker processes; one that cannot be sent (it holds a lock, say) runs in this process. `None`
    stands for the default everywhere. Runs that are there already are not run again. Figures and
    `report.html` are made when they are asked for; `report=True` makes them now. Over several
    landscapes (`proxy="suite"`, the default) a `Suite` comes back, else a `Comparison`.
    """
    entries, objects = (None, {}) if searchers is None else name_objects(_listed(searchers))
    given = _given(searchers=entries, proxy=proxy, seeds=seeds, budget=budget, name=name)
    given |= _given(folder=_text(folder)) | settings
    command = _call("compare", given)
    config = compare_settings(**{"report": False} | given)
    result: Comparison | Suite
    with _environment():
        if is_over_landscapes(config):
            landscapes, troubles = run_suite(config, command, _console(progress), objects)
            report_failures(troubles)
            result = Suite(suite_folder(config), command, failures(troubles), landscapes)
        else:
            comparison = plan_comparison(config, command, objects)
            troubles = run_comparison(comparison, config, command, _console(progress))
            report_failures(troubles)
            if len(troubles) == len(comparison.cells):
                raise SearcherFailed(f"no run finished: {failures(troubles)[0]}")
            result = Comparison(comparison.folder, command, failures(troubles))
    result.write(figures=config.report)
    return result


def run(
    searcher: SearcherLike = "random",
    *,
    options: Mapping[str, Any] | None = None,
    proxy: Group | None = None,
    seed: int | None = None,
    budget: Group | None = None,
    folder: str | Path | None = None,
    name: str | None = None,
    progress: bool = True,
    **settings: Any,
) -> Run:
    """Run one searcher with one seed. Raises SearcherFailed where it breaks down."""
    objects: dict[str, SearcherSpec] = {}
    target = name_object(searcher, objects)
    where = "path" if objects or ".py" in target else "name"
    given = {"searcher": {where: target, "options": dict(options or {})}}
    given |= _given(proxy=proxy, seed=seed, budget=budget, name=name, folder=_text(folder))
    if "then" in settings:
        settings["then"] = name_entry(settings["then"], objects)
    given |= settings
    command = _call("run", given)
    config = run_settings(**given)
    with _environment():
        comparison = plan_comparison(config, command, objects)
        return Run(run_one(comparison, config, command, _console(progress)))


def evaluate(
    patterns: str | Sequence[str],
    *,
    proxy: Group | None = None,
    seeds: int | None = None,
    progress: bool = True,
    **settings: Any,
) -> "pd.DataFrame":
    """Train and score patterns, letters or run lengths, each on several seeds.

    One row for each pattern and seed: `status`, `score` (NaN where it failed, and `note` says why),
    the proxy's own metrics, what it costs by the cost model and the seconds that were measured.
    """
    config = evaluate_settings(**_given(proxy=proxy, seeds=seeds), **settings)
    words = [patterns] if isinstance(patterns, str) else list(patterns)
    if not words:
        raise InvalidSetting("at least one pattern is expected, such as 2A5M2A3M1A3M, got none")
    texts = [config.space.validate(expand(word)) for word in words]
    with _environment():
        outcomes = outcomes_of(texts, config, _console(progress))
    seeds_of = range(config.first_seed, config.first_seed + config.seeds)
    return _frame(
        [
            {"pattern": text, "seed": seed} | _row(outcome)
            for text, row in zip(texts, outcomes, strict=True)
            for seed, outcome in zip(seeds_of, row, strict=True)
        ]
    )


def load(folder: str | Path) -> Comparison | Suite:
    """The comparison in a folder, from disk: nothing is run and nothing is written."""
    path = existing_folder("load", [str(folder)])
    return Suite(path) if is_suite(path) else Comparison(path)


def check(searcher: SearcherLike, **settings: Any) -> Check:
    """Whether a searcher keeps the contract, and whether it beats random search."""
    objects: dict[str, SearcherSpec] = {}
    target = name_object(searcher, objects)
    command = _call("check", {"searcher": target} | settings)
    with _environment():
        examination = Examination(target, check_settings(**settings), command, objects.get(target))
        points = list(examination.findings())
    return Check(target, points, examination.folder)


def _given(**values: Any) -> dict[str, Any]:
    """What is not left at its default."""
    return {name: value for name, value in values.items() if value is not None}


def _listed(searchers: Sequence[Entry]) -> Sequence[Entry]:
    if isinstance(searchers, str | Mapping) or not isinstance(searchers, Sequence):
        raise InvalidSetting(f"searchers must be a list such as ['random'], got {searchers!r}")
    return searchers


def _text(folder: str | Path | None) -> str | None:
    return None if folder is None else str(folder)


def _call(function: str, given: Mapping[str, Any]) -> str:
    """What the user called, for the record: objects stand in it by their names."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in given.items())
    return f"nasarena.{function}({arguments})"


def _console(progress: bool) -> Console:
    """Where progress is shown: below a notebook's cell, else on stderr."""
    if not progress:
        return Console(quiet=True)
    console = make_console()
    return console if console.is_jupyter else make_console(stderr=True)


@contextmanager
def _environment() -> Iterator[None]:
    """What we set for our own trainings is not left to the caller's later imports."""
    unset = [name for name in thread_environment(1) if name not in os.environ]
    try:
        yield
    finally:
        for name in unset:
            os.environ.pop(name, None)


def _row(outcome: "Outcome") -> dict[str, Any]:
    return {
        "status": outcome.status,
        "score": outcome.score,
        **outcome.metrics,
        "flops": outcome.cost.flops,
        "tokens": outcome.cost.tokens,
        "device_seconds": outcome.cost.device_seconds,
        "measured_seconds": outcome.measured_s,
        "note": outcome.note,
    }


def _frame(rows: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(rows).astype({"score": float})
