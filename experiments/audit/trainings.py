"""The trainings of an audit: every level's patterns and seeds, from worker processes.

All levels go through one pool and the evaluation cache, so that an audit that was stopped goes on
where it was. On a GPU a task is a population of patterns, else one pattern; use `workers=1` there.
What comes out is tidy: one row for each level, pattern and seed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from nasarena.experiments.audit.axes import Level
from nasarena.experiments.execution.console import progress_bar
from nasarena.experiments.execution.pool import News, results
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.execution.workers import LocalPool
from nasarena.experiments.settings.choices import ProxyConfig
from nasarena.search.proxy import Proxy, TrialSeed
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Outcome


@dataclass(frozen=True, slots=True)
class Trainings:
    """A task for a worker: some patterns of a level on all its seeds."""

    proxy: ProxyConfig
    space: PatternSpace
    cache: bool
    patterns: tuple[str, ...]
    seeds: tuple[int, ...]

    def __call__(self, report: Callable[[Any], None]) -> list[list[Outcome]]:
        """One row of outcomes per pattern, one outcome per seed."""
        proxy = build_proxy(self.proxy, self.space, self.cache)
        asked = [(pattern, seed) for pattern in self.patterns for seed in self.seeds]
        outcomes = proxy.evaluate(
            [pattern for pattern, _ in asked], [TrialSeed(seed) for _, seed in asked]
        )
        width = len(self.seeds)
        return [outcomes[i : i + width] for i in range(0, len(outcomes), width)]


def train_levels(
    levels: Sequence[Level], cache: bool, num_workers: int | None, console: Console
) -> list[list[list[Outcome]]]:
    """Outcomes by level, pattern and seed, under one progress bar for each level."""
    tasks = [(i, task) for i, level in enumerate(levels) for task in trainings(level, cache)]
    with progress_bar(console) as progress:
        bars = [progress.add_task(each.label, total=len(each.patterns)) for each in levels]

        def watch(news: News) -> None:
            level, task = tasks[news.task]
            progress.advance(bars[level], len(task.patterns) * (news.kind == "done"))

        found: list[list[list[Outcome]]] = [[] for _ in levels]
        answers = results([task for _, task in tasks], LocalPool(num_workers), watch)
        for (level, _), rows in zip(tasks, answers, strict=True):
            found[level] += rows
    return found


def trainings(level: Level, cache: bool) -> Iterator[Trainings]:
    """A level's work, cut for the workers: on a GPU by populations, else by patterns."""
    can = build_proxy(level.proxy, level.space, cache).abilities
    size = max(1, can.population // len(level.seeds)) if can.uses_gpu else 1
    for start in range(0, len(level.patterns), size):
        patterns = level.patterns[start : start + size]
        yield Trainings(level.proxy, level.space, cache, patterns, level.seeds)


def rows(
    levels: Sequence[Level], outcomes: Sequence[Sequence[Sequence[Outcome]]]
) -> list[dict[str, Any]]:
    """One row for each training; `pattern` is that of the sample, `trained` what it became."""
    sample = levels[0].patterns
    return [
        {
            "axis": level.axis,
            "level": level.label,
            "pattern": pattern,
            "trained": trained_pattern,
            "seed": seed,
            "score": outcome.score,
            "note": outcome.note,
        }
        for level, by_pattern in zip(levels, outcomes, strict=True)
        for pattern, trained_pattern, by_seed in zip(
            sample, level.patterns, by_pattern, strict=False
        )
        for seed, outcome in zip(level.seeds, by_seed, strict=True)
    ]


def task_rows(
    level: Level,
    outcomes: Sequence[Sequence[Outcome]],
    proxy: Proxy,
    names: Sequence[str],
) -> list[dict[str, Any]]:
    """As `rows`, of each task's part of the scores of the proxy as it is."""
    sign = 1.0 if proxy.direction == "max" else -1.0
    return [
        {
            "axis": "tasks",
            "level": name,
            "pattern": pattern,
            "trained": pattern,
            "seed": seed,
            "score": sign * outcome.metrics[f"{name} {proxy.metric}"] if outcome.metrics else None,
            "note": outcome.note,
        }
        for name in names
        for pattern, by_seed in zip(level.patterns, outcomes, strict=True)
        for seed, outcome in zip(level.seeds, by_seed, strict=True)
    ]
