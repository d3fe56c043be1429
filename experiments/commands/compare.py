"""`nasarena compare` and `nasarena run`: do what is missing of a comparison, then conclude."""

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from nasarena.experiments.commands.one_comparison import (
    conclude,
    report_failures,
    run_comparison,
    run_one,
)
from nasarena.experiments.commands.suite import compare_suite
from nasarena.experiments.comparison.plan import Comparison, plan_comparison
from nasarena.experiments.comparison.suite import is_over_landscapes
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.execution.provenance import command_line
from nasarena.experiments.settings.commands import compare_settings, run_settings
from nasarena.search.fidelity import comparable
from nasarena.search.incumbent import best_first
from nasarena.search.run_folder import find_runs
from nasarena.search.untrusted.one_line import one_line


def compare(arguments: Sequence[str]) -> int:
    """The main job. 0, or 2 when a run failed: the others are compared, and stderr says so."""
    start_s = time.monotonic()
    config = compare_settings(arguments)
    command = command_line(["compare", *arguments])
    if is_over_landscapes(config):
        return compare_suite(config, command)
    comparison = plan_comparison(config, command)
    console = make_console()
    troubles = run_comparison(comparison, config, command, console)
    conclude(comparison, command, console, config.report)
    written = comparison.folder / ("report.html" if config.report else "report.md")
    console.print(
        f"[bold]{escape(str(written))}[/bold]  ({time.monotonic() - start_s:.0f} s wall time)",
        soft_wrap=True,
    )
    return report_failures(troubles)


def run(arguments: Sequence[str]) -> int:
    """One run: a cell of the comparison of the same settings."""
    config = run_settings(arguments)
    command = command_line(["run", *arguments])
    comparison = plan_comparison(config, command)
    console = make_console()
    path = run_one(comparison, config, command, console)
    _show_run(comparison, path, console)
    return 0


def _show_run(comparison: Comparison, path: Path, console: Console) -> None:
    record = comparison.records.of(path)
    assert record is not None
    best = next(iter(best_first(comparable(record.trials()))), None)
    reason = record.events[-1]["reason"]
    console.print(f"{len(record.trials())} trials, ended: {one_line(reason)}", markup=False)
    if best is not None:
        console.print(f"best search score {best.score:.4f}: {best.pattern}")
    for event in record.of_kind("final"):
        outcome = event["outcome"]
        score = "failed" if outcome["score"] is None else f"{outcome['score']:.4f}"
        console.print(f"final score {score}: {event['pattern']}")
    others = len(find_runs(comparison.folder)) - 1
    console.print(
        f"[bold]{escape(str(path))}[/bold] ({others} other runs in this comparison)", soft_wrap=True
    )
