"""`nasarena design`: searchers of programs on one task, ranked; the winner taken apart."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nasarena.experiments.commands.evaluate import score_patterns
from nasarena.experiments.commands.one_comparison import (
    conclude,
    report_failures,
    run_comparison,
)
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.design.attribution import Attribution, attribute
from nasarena.experiments.design.baselines import train_baselines
from nasarena.experiments.design.ground import AUTORESEARCH, comparison_settings, space_of
from nasarena.experiments.design.normalized import runs_of, standings, write_standings
from nasarena.experiments.design.winner import best_finalist, lines, write_attribution
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.execution.provenance import command_line
from nasarena.experiments.settings.commands import design_settings
from nasarena.experiments.settings.config import CompareConfig
from nasarena.experiments.settings.design_settings import DesignConfig
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.errors import InvalidSetting
from nasarena.search.trial import Outcome


def design(arguments: Sequence[str]) -> int:
    """0, or 2 when a run failed: the others are compared, and stderr says so."""
    start_s = time.monotonic()
    settings = design_settings(arguments)
    config = comparison_settings(settings)
    console = make_console()
    if settings.baselines:
        return train_baselines(config, console)
    if settings.winner is not None:
        folder = Path(config.folder) / (config.name or "attribution")
        _attribute(settings.winner, settings, config, folder, console)
        return 0
    command = command_line(["design", *arguments])
    comparison = plan_comparison(config, command)
    troubles = run_comparison(comparison, config, command, console)
    conclude(comparison, command, console, config.report)
    if settings.task != AUTORESEARCH:
        known = space_of(settings).known_candidates()
        found = standings(*runs_of(comparison.records.all(), known))
        console.print(write_standings(comparison.folder, found))
    winner = best_finalist(comparison.records.all()) if settings.mode == "edits" else None
    if settings.attribute and winner is not None:
        _attribute(winner, settings, config, comparison.folder, console)
    written = comparison.folder / ("report.html" if config.report else "report.md")
    console.print(
        f"[bold]{escape(str(written))}[/bold]  ({time.monotonic() - start_s:.0f} s wall time)",
        soft_wrap=True,
    )
    return report_failures(troubles)


def _attribute(
    winner: str, settings: DesignConfig, config: CompareConfig, folder: Path, console: Console
) -> None:
    """Take a list of edits apart, write what was found and show it."""
    space = config.space
    if not isinstance(space, EditSpace):
        raise InvalidSetting("winner must be a list of edits: give mode=edits")
    score = partial(_score, config=config, console=console)
    found = attribute(space, winner, score, settings.attribution_seeds, settings.first_seed)
    folder.mkdir(parents=True, exist_ok=True)
    write_attribution(folder, found)
    console.print(_table(found))


def _score(
    lists: Sequence[str], seeds: Sequence[int], *, config: CompareConfig, console: Console
) -> list[list[Outcome]]:
    return score_patterns(
        lists, seeds, config.proxy, config.space, config.cache, config.workers, console,
        "held_out",
    )  # fmt: skip


def _table(found: Attribution) -> Table:
    table = Table(
        title=f"what the best list of edits owes to each of them: {found.winner}\n"
        f"{found.num_trainings} trainings on an account of their own; 95 % intervals, "
        f"shared among all lines",
        box=None,
    )
    head, *rows = lines(found)
    for name in head:
        table.add_column(name, justify="right" if name in ("effect", "low", "high") else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    return table
