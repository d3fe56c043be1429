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
from nasarena.experiments.comparison.plan import Comparison, plan_comparison
from nasarena.experiments.design.attribution import Attribution, attribute
from nasarena.experiments.design.baselines import train_baselines
from nasarena.experiments.design.edit_questions import ask_about_edits
from nasarena.experiments.design.foresight import announce_time, count_trainings
from nasarena.experiments.design.ground import (
    AUTORESEARCH,
    best_of,
    comparison_settings,
    read_winner,
    script_of,
    space_of,
)
from nasarena.experiments.design.hunks import ask_about_hunks
from nasarena.experiments.design.known import write_known
from nasarena.experiments.design.normalized import runs_of, standings, write_standings
from nasarena.experiments.design.tables import make_table
from nasarena.experiments.design.winner import (
    best_finalist,
    lines,
    share_in_words,
    write_attribution,
)
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.execution.provenance import command_line
from nasarena.experiments.settings.commands import design_settings
from nasarena.experiments.settings.config import CompareConfig
from nasarena.experiments.settings.design_settings import DesignConfig
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.candidates.program_space import ProgramSpace
from nasarena.search.trial import Outcome
from nasarena.search.untrusted.drafts import replace_text

PROGRAM = "best.py"  # in the folder of a comparison; it is read and never run from there


def design(arguments: Sequence[str]) -> int:
    """0, or 2 when a run failed: the others are compared, and stderr says so."""
    start_s = time.monotonic()
    settings = design_settings(arguments)
    config = comparison_settings(settings)
    console = make_console()
    if settings.baselines:
        count = config.seeds * len(space_of(settings).known_candidates())
        announce_time(config, count, "held_out", console)
        return train_baselines(config, console)
    if settings.winner is not None:
        folder = Path(config.folder) / (config.name or "attribution")
        _attribute(read_winner(settings), settings, config, folder, console)
        return 0
    command = command_line(["design", *arguments])
    comparison = plan_comparison(config, command)
    pending = comparison.select_pending(config.retry_failed)
    apart = settings.attribution_seeds if _takes_apart(settings) else 0
    announce_time(config, count_trainings(pending, apart), "search", console)
    troubles = run_comparison(comparison, config, command, console)
    _measure_known(settings, config, comparison, console)
    conclude(comparison, command, console, config.report)
    if settings.task != AUTORESEARCH:
        known = space_of(settings).known_candidates()
        found = standings(*runs_of(comparison.records.all(), known))
        console.print(write_standings(comparison.folder, found))
    script = script_of(settings)
    winner = best_finalist(comparison.records.all(), space_of(settings), script)
    if winner is not None:
        _take_apart(winner, settings, config, comparison.folder, console)
    written = comparison.folder / ("report.html" if config.report else "report.md")
    console.print(
        f"[bold]{escape(str(written))}[/bold]  ({time.monotonic() - start_s:.0f} s wall time)",
        soft_wrap=True,
    )
    return report_failures(troubles)


def _measure_known(
    settings: DesignConfig, config: CompareConfig, comparison: Comparison, console: Console
) -> None:
    """Train the script and the best candidate known, on the seeds of the runs."""
    if best := best_of(settings):
        pair = (script_of(settings), best)
        seeds = range(config.first_seed, config.first_seed + config.seeds)
        score = partial(_score, config=config, console=console)
        version = comparison.cells[0].proxy_version
        write_known(comparison.folder, pair, seeds, score, version)


def _takes_apart(settings: DesignConfig) -> bool:
    if settings.attribute is not None:
        return settings.attribute
    return settings.task == AUTORESEARCH and settings.mode == "edits"


def _take_apart(
    winner: str, settings: DesignConfig, config: CompareConfig, folder: Path, console: Console
) -> None:
    """Keep the best program as a file; take the winner apart where that is wanted."""
    is_code = settings.mode == "code"
    if is_code:
        replace_text(folder / PROGRAM, winner)
    if _takes_apart(settings):
        _attribute(winner, settings, config, folder, console)
    elif is_code:
        console.print(
            f"best program: {folder / PROGRAM}; attribute=true takes it apart",
            markup=False, soft_wrap=True,
        )  # fmt: skip


def _attribute(
    winner: str, settings: DesignConfig, config: CompareConfig, folder: Path, console: Console
) -> None:
    """Take a candidate apart, write what was found and show it."""
    space, best = config.space, best_of(settings)
    if isinstance(space, EditSpace):
        asked = ask_about_edits(space, winner, best)
    else:
        assert isinstance(space, ProgramSpace)
        asked = ask_about_hunks(space, winner, best)
    score = partial(_score, config=config, console=console)
    found = attribute(asked, score, settings.attribution_seeds, settings.first_seed)
    folder.mkdir(parents=True, exist_ok=True)
    write_attribution(folder, found)
    console.print(_table(found))
    if found.share is not None:
        console.print(share_in_words(found.share), markup=False)


def _score(
    lists: Sequence[str], seeds: Sequence[int], *, config: CompareConfig, console: Console
) -> list[list[Outcome]]:
    return score_patterns(
        lists, seeds, config.proxy, config.space, config.cache, config.workers, console,
        "held_out",
    )  # fmt: skip


def _table(found: Attribution) -> Table:
    title = (
        f"{_subject(found.winner)}\n"
        f"{found.num_trainings} trainings on an account of their own; 95 % intervals, "
        f"shared among all lines"
    )
    head, *rows = lines(found)
    return make_table(title, head, rows, ("effect", "low", "high"))


def _subject(winner: str) -> str:
    if "\n" in winner:
        return "what the best program owes to each hunk of its diff"
    return f"what the best list of edits owes to each of them: {escape(winner)}"
