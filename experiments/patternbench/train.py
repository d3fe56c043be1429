"""Train PatternBench's sample: resumable, on all cores, usable at every moment.

    python -m nasarena.experiments.patternbench.train [proxy=quick] [workers=2] [out=FILE] [limit=N]

Any setting of `nasarena evaluate` may be given (`proxy=mad proxy.device=cuda`), and any number of
the design (`design.num_fill=100`). Rows are on disk population by population: Ctrl-C or a kill
loses the populations that were in training, one a worker, and the same command goes on with exactly
the trainings that are missing. `limit` ends after so many new trainings.
"""

import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from rich.console import Console

from nasarena.experiments.execution.console import make_console, progress_bar
from nasarena.experiments.execution.pool import News, results
from nasarena.experiments.execution.provenance import provenance
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.execution.workers import LocalPool
from nasarena.experiments.patternbench.adaptive import adaptive_round, elite_round
from nasarena.experiments.patternbench.design import Design, Training, plan_trainings
from nasarena.experiments.patternbench.row_log import RowLog
from nasarena.experiments.settings.choices import ProxyConfig
from nasarena.experiments.settings.commands import evaluate_settings
from nasarena.experiments.settings.config import EvaluateConfig
from nasarena.proxies.patternbench.rows import Row
from nasarena.search.errors import InvalidSetting, NasArenaError
from nasarena.search.proxy import TrialSeed
from nasarena.search.space import PatternSpace

_POPULATION = 32  # a fifth cheaper than 16; 64 gains nothing more
_MODULE = "nasarena.experiments.patternbench.train"


@dataclass(frozen=True, slots=True)
class Population:
    """A task for a worker: trainings that go together."""

    proxy: ProxyConfig
    space: PatternSpace
    cache: bool
    trainings: tuple[Training, ...]

    def __call__(self, report: Callable[[Any], None]) -> list[Row]:
        """One row a training."""
        proxy = build_proxy(self.proxy, self.space, self.cache)
        patterns = [training.pattern for training in self.trainings]
        seeds = [TrialSeed(training.seed) for training in self.trainings]
        return [
            Row(
                training.pattern, training.seed, training.role, training.round, outcome.score,
                outcome.metrics.get("loss"), outcome.metrics.get("accuracy"),
                round(outcome.measured_s, 3), outcome.note,
            )
            for training, outcome in zip(
                self.trainings, proxy.evaluate(patterns, seeds), strict=True
            )
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says."""

    config: EvaluateConfig
    design: Design
    out: Path | None
    limit: int | None
    overrides: list[str]  # of the proxy, in words of the command; how it is trained aside


def train(arguments: Sequence[str]) -> Path:
    """Train what is missing of the sample; the file of rows."""
    settings = settings_of(arguments)
    config = settings.config
    console = make_console()
    proxy = build_proxy(config.proxy, config.space, config.cache)  # refuses bad settings at once
    header = {
        "proxy": config.proxy.name,
        "version": proxy.version,
        "settings": config.proxy.options,
        "overrides": settings.overrides,
        "space": asdict(config.space),
        "design": asdict(settings.design),
        **provenance(shlex.join(["python", "-m", _MODULE, *arguments])),
    }
    default = Path("runs") / "patternbench" / f"{config.proxy.name}-{proxy.version}.csv"
    with RowLog(settings.out or default, header) as log:
        try:
            _fill(log, settings, console)
        except KeyboardInterrupt:
            console.print("interrupted; the same command goes on")
        failed = sum(row.score is None for row in log.rows)
        console.print(
            f"{len(log.rows)} trainings of {len({row.pattern for row in log.rows})} patterns "
            f"({failed} failed) in {log.path}",
            soft_wrap=True,
        )
    return log.path


def settings_of(arguments: Sequence[str]) -> Settings:
    """Our own words out, the rest read as those of `nasarena evaluate`."""
    known = {field.name for field in fields(Design)}
    numbers: dict[str, int] = {}
    own: dict[str, str] = {}
    others: list[str] = []
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key in ("out", "limit"):
            own[key] = value
        elif key.startswith("design."):
            numbers[_design_key(key, known)] = _count(key, value)
        else:
            others.append(argument)
    for default in ("proxy=quick", f"proxy.population={_POPULATION}"):
        if not any(argument.startswith(default.partition("=")[0] + "=") for argument in others):
            others.append(default)
    how = ("proxy.population", "proxy.device", "proxy.step")
    overrides = [
        word for word in others if word.startswith("proxy.") and word.partition("=")[0] not in how
    ]
    limit = _count("limit", own["limit"]) if "limit" in own else None
    out = Path(own["out"]) if own.get("out") else None
    return Settings(evaluate_settings(others), Design(**numbers), out, limit, overrides)


def _design_key(key: str, known: set[str]) -> str:
    name = key.partition(".")[2]
    if name not in known:
        raise InvalidSetting(f"no setting is called {key!r}; design has {', '.join(sorted(known))}")
    return name


def _count(key: str, value: str) -> int:
    if not value.isdigit():
        raise InvalidSetting(f"{key} must be a whole number, got {value!r}")
    return int(value)


def _fill(log: RowLog, settings: Settings, console: Console) -> None:
    """Train what is missing, stage by stage; a stage is complete before the next is planned."""
    left = settings.limit
    start_s = time.monotonic()
    for number, stage in _stages(log, settings):
        done = {(row.pattern, row.seed) for row in log.rows}
        missing = [one for one in stage if (one.pattern, one.seed) not in done][:left]
        if left is not None:
            left -= len(missing)
        _train_all(missing, f"round {number}", log, settings.config, console)
        if missing:
            console.print(
                f"round {number}: {len(log.rows)} trainings on disk, {_best(log.rows)}, "
                f"{time.monotonic() - start_s:.0f} s"
            )
        if left == 0:
            return


def _stages(log: RowLog, settings: Settings) -> Iterator[tuple[int, list[Training]]]:
    """Round 0 is planned; each later one from the rows there are when it is asked for."""
    space = settings.config.space
    yield 0, plan_trainings(settings.design, space)
    for number in range(1, settings.design.num_rounds + 1):
        yield number, adaptive_round(number, log.rows, settings.design, space)
    last = settings.design.num_rounds + 1
    yield last, elite_round(last, log.rows, settings.design, space)


def _train_all(
    trainings: Sequence[Training], title: str, log: RowLog, config: EvaluateConfig, console: Console
) -> None:
    size = int(config.proxy.options["population"])
    tasks = [
        Population(config.proxy, config.space, config.cache, tuple(trainings[i : i + size]))
        for i in range(0, len(trainings), size)
    ]
    with progress_bar(console) as progress:
        bar = progress.add_task(title, total=len(trainings))

        def watch(news: News) -> None:
            if news.kind == "done":
                log.append(news.value)
                progress.advance(bar, len(news.value))

        results(tasks, LocalPool(config.workers), watch)


def _best(rows: Sequence[Row]) -> str:
    scores = [row.score for row in rows if row.score is not None]
    return f"highest score {max(scores):.4f}" if scores else "no score"


def main() -> int:
    """Exit code 2 and one line for what a user can cause."""
    try:
        train(sys.argv[1:])
    except NasArenaError as error:
        print(f"nasarena: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
