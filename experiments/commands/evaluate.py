"""`nasarena evaluate PATTERN...`: train and score patterns, each on several seeds.

No budget is charged; trainings go through the evaluation cache like any other.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from rich.console import Console
from rich.table import Table

from nasarena.experiments.execution.console import make_console, progress_bar
from nasarena.experiments.execution.pool import News, results
from nasarena.experiments.execution.scoring import Evaluation, build_proxy
from nasarena.experiments.execution.workers import LocalPool
from nasarena.experiments.settings.choices import ProxyConfig
from nasarena.experiments.settings.commands import evaluate_settings
from nasarena.experiments.settings.config import EvaluateConfig
from nasarena.search.candidates.protocol import Space
from nasarena.search.errors import InvalidSetting
from nasarena.search.notation import expand, run_lengths
from nasarena.search.proxy import Split
from nasarena.search.trial import Outcome


def evaluate(arguments: Sequence[str]) -> int:
    """0, or 1 where a training failed."""
    words = [argument for argument in arguments if "=" not in argument]
    config = evaluate_settings([argument for argument in arguments if "=" in argument])
    if not words:
        raise InvalidSetting(
            "at least one pattern is expected, such as 2A5M2A3M1A3M or AMAMAMAMAMAMAMAM, got none"
        )
    patterns = [config.space.validate(expand(word)) for word in words]
    console = make_console()
    outcomes = outcomes_of(patterns, config, console)
    console.print(_table(patterns, outcomes, config))
    tasks = _tasks(outcomes)
    if tasks:
        console.print(_table_of_tasks(patterns, outcomes, tasks))
    failed = [outcome for row in outcomes for outcome in row if outcome.status == "failed"]
    for note in dict.fromkeys(outcome.note for outcome in failed):
        console.print(f"failed: {note}", highlight=False)
    return 1 if failed else 0


def outcomes_of(
    patterns: Sequence[str], config: EvaluateConfig, console: Console
) -> list[list[Outcome]]:
    """Outcomes by pattern and seed, from worker processes, under a progress bar."""
    build_proxy(config.proxy, config.space, config.cache)  # refuses bad settings here, at once
    seeds = range(config.first_seed, config.first_seed + config.seeds)
    return score_patterns(
        patterns, seeds, config.proxy, config.space, config.cache, config.workers, console,
        config.split,
    )  # fmt: skip


def score_patterns(
    patterns: Sequence[str],
    seeds: Sequence[int],
    proxy: ProxyConfig,
    space: Space,
    cache: bool,
    num_workers: int | None,
    console: Console,
    split: Split = "search",
) -> list[list[Outcome]]:
    """One row of outcomes per pattern, one outcome per seed, from worker processes."""
    tasks = [Evaluation(proxy, space, cache, text, tuple(seeds), split) for text in patterns]
    with progress_bar(console) as progress:
        bar = progress.add_task("patterns", total=len(tasks))

        def watch(news: News) -> None:
            progress.advance(bar, news.kind == "done")

        return results(tasks, LocalPool(num_workers), watch)


def _table(
    patterns: Sequence[str], outcomes: Sequence[Sequence[Outcome]], config: EvaluateConfig
) -> Table:
    metrics = [name for name in _metrics(outcomes) if " " not in name]
    table = Table(title=f"{config.proxy.name}, {config.split} split", box=None)
    for name in ("pattern", "run lengths"):
        table.add_column(name, no_wrap=True)
    columns = ("score", "sd over seeds", *metrics, "FLOPs", "tokens", "device s", "measured s")
    for name in columns:
        table.add_column(name, justify="right")
    for pattern, row in zip(patterns, outcomes, strict=True):
        scores = [outcome.score for outcome in row if outcome.score is not None]
        cost = row[0].cost
        table.add_row(
            pattern,
            run_lengths(pattern),
            f"{fmean(scores):.4f}" if scores else "failed",
            f"{stdev(scores):.4f}" if len(scores) > 1 else "",
            *(_mean_metric(row, name) for name in metrics),
            f"{cost.flops:.4g}",
            f"{cost.tokens:,}",
            f"{cost.device_seconds:.3g}",
            f"{sum(outcome.measured_s for outcome in row):.3g}",
        )
    return table


def _metrics(outcomes: Sequence[Sequence[Outcome]]) -> list[str]:
    return list(
        dict.fromkeys(name for row in outcomes for outcome in row for name in outcome.metrics)
    )


def _tasks(outcomes: Sequence[Sequence[Outcome]]) -> dict[str, list[str]]:
    """What is known of each task of a proxy of several: its metrics are named `task metric`."""
    tasks: dict[str, list[str]] = {}
    for name in _metrics(outcomes):
        task, _, metric = name.rpartition(" ")
        if task:
            tasks.setdefault(task, []).append(metric)
    return tasks


def _table_of_tasks(
    patterns: Sequence[str],
    outcomes: Sequence[Sequence[Outcome]],
    tasks: Mapping[str, Sequence[str]],
) -> Table:
    """A line for each pattern and task: for six tasks a line would be too long."""
    columns = list(dict.fromkeys(metric for metrics in tasks.values() for metric in metrics))
    table = Table(title="by task", box=None)
    for name in ("pattern", "task"):
        table.add_column(name, no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right")
    for pattern, row in zip(patterns, outcomes, strict=True):
        for task in tasks:
            cells = (_mean_metric(row, f"{task} {metric}") for metric in columns)
            table.add_row(pattern, task, *cells)
    return table


def _mean_metric(row: Sequence[Outcome], name: str) -> str:
    values = [outcome.metrics[name] for outcome in row if name in outcome.metrics]
    return f"{fmean(values):.4f}" if values else ""
