"""One comparison carried out: what is missing is run, then concluded: table, figures, report."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from nasarena.experiments.commands.display import Display
from nasarena.experiments.comparison.benchmark_facts import write_facts
from nasarena.experiments.comparison.llm import Access
from nasarena.experiments.comparison.llm_hours import announce_hours
from nasarena.experiments.comparison.mixture import clear_or_refuse
from nasarena.experiments.comparison.plan import (
    Comparison,
    forget_refused,
    write_plan,
)
from nasarena.experiments.comparison.resolved_searcher import Entrant
from nasarena.experiments.comparison.running import Progress, common_refusal, run_cells
from nasarena.experiments.comparison.shared_model import with_model
from nasarena.experiments.exchange.tracking import LiveTracking
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.execution.launchers import open_pool
from nasarena.experiments.execution.parallel_drawing import draw_by_all_cores
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.live.progress import LiveProgress
from nasarena.experiments.live.server import open_live
from nasarena.experiments.settings.config import CompareConfig
from nasarena.experiments.settings.launcher import LOCAL, LauncherConfig
from nasarena.search.errors import SearcherFailed
from nasarena.search.untrusted.one_line import one_line

if TYPE_CHECKING:
    from nasarena.figures.report.conclusion import Conclusion


def run_comparison(
    comparison: Comparison,
    config: CompareConfig,
    command: str,
    console: Console,
    live: LiveProgress | None = None,
    model: Access | None = None,
) -> list[Progress]:
    """Run what is missing, with a language model where one is asked; what did not finish.

    `live` is a page that is open already, `model` a model that is there already; else one is opened
    where the settings say so.
    """
    page = nullcontext(live) if live else open_live(config.live, console)
    with page as shown, with_model(comparison, config, console, model) as comparison:
        if config.estimate and model is None:
            announce_hours([comparison], config, console)
        return run_missing(
            comparison, command, console, config.workers, config.retry_failed, config.overwrite,
            config.trackers, shown, config.launcher,
        )  # fmt: skip


def run_one(comparison: Comparison, config: CompareConfig, command: str, console: Console) -> Path:
    """Run the one cell of a comparison; where it lies. Raises what stopped it."""
    (cell,) = comparison.cells
    for trouble in run_comparison(comparison, config, command, console):
        if trouble.traceback:
            raise RuntimeError(f"{cell.name} broke down in its worker:\n{trouble.traceback}")
        raise SearcherFailed(f"{cell.name}: {trouble.trouble}; recorded in {cell.path}")
    return cell.path


def run_missing(
    comparison: Comparison, command: str, console: Console, num_workers: int | None,
    retry_failed: bool, overwrite: bool = False, trackers: Sequence[str] = (),
    live: LiveProgress | None = None, launcher: LauncherConfig = LOCAL,
) -> list[Progress]:  # fmt: skip
    """Run what is to be run; everything that did not finish, now or before, comes back.

    `trackers` are names of other tools that show the runs as they go on, `live` is our own page,
    `launcher` says who runs them.
    """
    pending = partial(comparison.select_pending, retry_failed)
    to_do = clear_or_refuse(comparison, pending, overwrite)
    write_plan(comparison, command)
    troubles = [] if retry_failed else _failures_on_record(comparison)
    _announce(comparison, len(to_do), console)
    if live is not None:
        live.begin(comparison, to_do)
    with (
        Display(comparison, to_do, console) as display,
        LiveTracking(trackers, comparison.folder) as tracking,
        open_pool(launcher, num_workers, comparison.folder) as pool,
        closing(  # an interrupt ends the workers
            run_cells(to_do, pool, launcher.attempts, launcher.spreads_batches)
        ) as news,
    ):
        for progress in news:
            display.update(progress)
            if live is not None:
                live.update(progress)
            tracking.update(progress.cell.path, progress.is_working)
            if not progress.is_working and progress.state != "finished":
                troubles.append(progress)
    comparison.records.forget(cell.path for cell in to_do)
    forget_refused(comparison)
    _write_benchmark_facts(comparison)
    error = common_refusal(troubles, len(comparison.cells))
    if error is not None:
        raise error
    return troubles


def conclude(
    comparison: Comparison, command: str, console: Console, draws: bool = True
) -> "Conclusion":
    """Write table, figures and report of a comparison, and print its ranking."""
    from nasarena.experiments.commands.ranking import ranking

    conclusion = write_conclusion(comparison, command, draws)
    console.print(ranking(conclusion.table))
    for sentence in conclusion.verdict:
        console.print(one_line(sentence), markup=False)
    return conclusion


def write_conclusion(comparison: Comparison, command: str, draws: bool) -> "Conclusion":
    """Write table and report of a comparison, and with `draws` its figures."""
    from nasarena.figures.comparison import write_all
    from nasarena.figures.results.analysis import analyze

    analysis = analyze(comparison.folder, comparison.records.all())
    return write_all(
        comparison.folder, command, draws=draws, drawer=draw_by_all_cores, analysis=analysis
    )


def report_failures(troubles: Sequence[Progress]) -> int:
    """Say on stderr what did not finish, each reason once; the exit code."""
    errors = make_console(stderr=True)
    for words in failures(troubles):
        errors.print(f"nasarena: {one_line(words)}", markup=False, soft_wrap=True)
    for trouble in troubles:
        if trouble.traceback:
            errors.print(_encodable(trouble.traceback), markup=False, soft_wrap=True)
            break
    return 2 if troubles else 0


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def failures(troubles: Sequence[Progress]) -> list[str]:
    """What did not finish, a line for each searcher and reason."""
    runs: dict[tuple[str, str], list[int]] = {}
    for trouble in troubles:
        key = (trouble.cell.entrant.label, f"{trouble.state}: {trouble.trouble}")
        runs.setdefault(key, []).append(trouble.cell.seed)
    return [
        f"{label}, seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}, {words}"
        for (label, words), seeds in runs.items()
    ]


def _write_benchmark_facts(comparison: Comparison) -> None:
    """A benchmark knows its optimum and true scores: for figures, which read the folder alone."""
    if records := comparison.records.all():
        cell = comparison.cells[0]
        proxy = build_proxy(cell.proxy, cell.space, cell.cache)
        write_facts(comparison.folder, proxy, records, cell.num_trials, comparison.is_ranked)


def _announce(comparison: Comparison, num_to_do: int, console: Console) -> None:
    from nasarena.figures.results.rows import METERS

    budget, num_cells = comparison.budget, len(comparison.cells)
    there = f" ({num_cells - num_to_do} were done before)" if num_to_do < num_cells else ""
    console.print(
        f"{num_to_do} of {num_cells} runs to do{there}, "
        f"{METERS[budget.unit].amount(budget.amount)} each, "
        f"in {comparison.folder}",
        markup=False,
        soft_wrap=True,
    )
    entrants = {cell.entrant.label: cell.entrant for cell in comparison.cells}.values()
    _announce_random_fill(entrants, comparison.cells[0].num_trials, console)
    for entrant in entrants:
        if entrant.stays_here:
            console.print(
                f"{entrant.label} cannot be sent to worker processes ({entrant.stays_here}): its "
                f"runs are done in this process, one after the other, when the others are done",
                markup=False,
                soft_wrap=True,
            )


def _announce_random_fill(entrants: Iterable[Entrant], num_trials: int, console: Console) -> None:
    """Options that follow the budget, and who hardly gets beyond random patterns with them."""
    fills = {entrant.label: fill for entrant in entrants if (fill := entrant.random_fill())}
    if not fills:
        return
    words = [f"{label} {_options_in_words(fill)}" for label, fill in fills.items()]
    console.print(
        f"random patterns to begin with: {', '.join(words)}", markup=False, soft_wrap=True
    )
    for label, fill in fills.items():
        if 2 * max(fill.values()) > num_trials:
            console.print(
                f"warning: {label} is random search for most of its {num_trials} trials "
                f"({_options_in_words(fill)})",
                markup=False,
                soft_wrap=True,
            )


def _options_in_words(options: Mapping[str, int]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items())


def _failures_on_record(comparison: Comparison) -> list[Progress]:
    """The runs that failed before, and why."""
    found = []
    for cell in comparison.cells:
        record = comparison.records.of(cell.path)
        if record is not None and record.state == "failed":
            reason = record.events[-1]["reason"]
            words = f"{reason} (recorded before; retry_failed=true tries again)"
            found.append(Progress(cell, "failed", False, None, words))
    return found
