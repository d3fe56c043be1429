"""`nasarena compare proxy=suite`: a comparison on each landscape, then one verdict over all."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from nasarena.experiments.commands.one_comparison import (
    report_failures,
    run_comparison,
    write_conclusion,
)
from nasarena.experiments.comparison.llm_hours import announce_hours
from nasarena.experiments.comparison.plan import Comparison, plan_comparison
from nasarena.experiments.comparison.resolved_searcher import NO_OBJECTS
from nasarena.experiments.comparison.running import Progress
from nasarena.experiments.comparison.shared_model import open_shared_access
from nasarena.experiments.comparison.suite import (
    configs_of_landscapes,
    suite_folder,
    write_manifest,
)
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.live.server import open_live
from nasarena.experiments.settings.config import CompareConfig
from nasarena.search.searcher import SearcherSpec
from nasarena.search.untrusted.one_line import one_line

if TYPE_CHECKING:
    from nasarena.figures.suite.report import SuiteConclusion
    from nasarena.figures.suite.results import Landscape, SuiteResults


def compare_suite(config: CompareConfig, command: str) -> int:
    """0, or 2 when a run failed: the others are compared, and stderr says so."""
    start_s = time.monotonic()
    folder, console = suite_folder(config), make_console()
    landscapes, troubles = run_suite(config, command, console)
    conclusion = conclude_suite(folder, landscapes, command, config.report)
    show_suite(conclusion, console)
    written = folder / ("report.html" if config.report else "report.md")
    console.print(
        f"[bold]{escape(str(written))}[/bold]  ({time.monotonic() - start_s:.0f} s wall time)",
        soft_wrap=True,
    )
    return report_failures(troubles)


def run_suite(
    config: CompareConfig,
    command: str,
    console: Console,
    objects: Mapping[str, SearcherSpec] = NO_OBJECTS,
) -> tuple[list["Landscape"], list[Progress]]:
    """Run what is missing on each landscape, write its table and report; what did not finish."""
    # All are planned before the first is run: what cannot work is refused at once.
    plans = {
        name: (each, plan_comparison(each, command, objects, is_ranked=False))
        for name, each in configs_of_landscapes(config).items()
    }
    write_manifest(suite_folder(config), list(plans), command)
    troubles: list[Progress] = []
    landscapes = []
    comparisons = [comparison for _, comparison in plans.values()]
    with (
        open_live(config.live, console) as live,
        open_shared_access(comparisons, config, suite_folder(config), console) as model,
    ):
        if config.estimate and model is not None:
            announce_hours(comparisons, config, console, model)
        for name, (each, comparison) in plans.items():
            console.print(f"[bold]{escape(name)}[/bold]")
            troubles += run_comparison(comparison, each, command, console, live, model)
            landscapes.append(_conclude(name, comparison, command))
    return landscapes, troubles


def show_suite(conclusion: "SuiteConclusion", console: Console) -> None:
    """The ranking over all landscapes, and the verdict's sentences."""
    console.print(_ranking(conclusion.results))
    for sentence in conclusion.verdict:
        console.print(one_line(sentence), markup=False)


def _conclude(name: str, comparison: Comparison, command: str) -> "Landscape":
    """Table and report of one landscape, without its figures."""
    from nasarena.figures.suite.results import landscape_of

    return landscape_of(name, write_conclusion(comparison, command, draws=False).analysis)


def conclude_suite(
    folder: Path, landscapes: list["Landscape"], command: str, draws: bool
) -> "SuiteConclusion":
    """Write the suite's table and report, and with `draws` its figures."""
    from nasarena.figures.suite.report import write_suite
    from nasarena.figures.suite.results import read_suite

    results = read_suite(folder, landscapes)  # others are of an earlier command under this name
    return write_suite(folder, results, command, draws)


def _ranking(results: "SuiteResults") -> Table:
    shown = Table(title="ranking over all landscapes", box=None)
    shown.add_column("rank", justify="right")
    shown.add_column("", no_wrap=True)
    for name in ("normalized regret", "95 % interval", *(one.name for one in results.landscapes)):
        shown.add_column(name, justify="right")
    for place in results.places:
        regret = place.regret
        limits = f"{regret.low:.3f} to {regret.high:.3f}" if regret.low == regret.low else ""
        means = results.regrets[place.searcher].mean(axis=0)
        shown.add_row(
            str(place.rank),
            Text(one_line(place.searcher)),
            f"{regret.estimate:.3f}",
            limits,
            *(f"{mean:.3f}" for mean in means),
        )
    return shown
