"""`nasarena aggregate DIR...`: one pattern from the finalists of comparisons, by every rule.

Each rule's pattern is scored on fresh seeds by the proxy that trained the finalists again, the same
seeds for all; where the searched proxy is a benchmark it is judged by its exact regret too.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from nasarena.experiments.commands.evaluate import score_patterns
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.execution.provenance import command_line, provenance
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.scaling import aggregate_report as report
from nasarena.experiments.scaling.aggregate import Rule, make_rules
from nasarena.experiments.scaling.resampling import (
    ALL,
    Group,
    apply_rules,
    judge,
    make_groups,
    resample_worths,
)
from nasarena.experiments.scaling.sizes import published_size
from nasarena.experiments.scaling.winners import (
    Winners,
    make_pool,
    read_winners,
    refuse_small_pool,
)
from nasarena.experiments.scaling.worth import Worth, estimate_worth, exact_worth
from nasarena.experiments.settings.aggregate_settings import AggregateConfig
from nasarena.experiments.settings.commands import aggregate_settings
from nasarena.figures.stats.intervals import Floats
from nasarena.search.errors import InvalidSetting, NasArenaError
from nasarena.search.proxy import KnownProxy
from nasarena.search.seeding import stream_seed
from nasarena.search.untrusted.drafts import replace_text

_SEEDS_OF_TRAINING, _SEEDS_OF_FORMULA = 4, 20


def aggregate(arguments: Sequence[str]) -> int:
    """Write aggregate.csv and aggregate.md, print both in short; returns 0."""
    folders = [Path(argument) for argument in arguments if "=" not in argument]
    config = aggregate_settings([argument for argument in arguments if "=" in argument])
    out = _out_folder(folders, config)
    sizes = [published_size(name) for name in config.sizes]
    winners = read_winners(folders)
    rules = make_rules(config.clusters, config.top)
    groups, left_out = _make_groups(winners, rules, config.clusters)
    console = make_console()
    _announce(winners, groups, console)
    fresh = _score(winners, groups, config, console)
    worth = _worth(winners, fresh, config)
    rows_of = _judge(groups, rules, fresh, worth, config)
    best = report.best_row(rows_of[ALL]).pattern
    at_scale = report.scale_rows(best, sizes) if sizes else []
    source = provenance(command_line(["aggregate", *arguments]))
    page = report.markdown(
        winners.name,
        groups,
        rows_of,
        [*left_out, *_notes(winners, fresh, worth, config)],
        at_scale,
        source,
    )
    _write(out, report.table(rows_of).to_csv(index=False, lineterminator="\n"), page)
    _show(groups, rows_of, left_out, console)
    console.print(f"[bold]{out / 'aggregate.md'}[/bold]", soft_wrap=True)
    return 0


def _out_folder(folders: Sequence[Path], config: AggregateConfig) -> Path:
    if not folders:
        raise InvalidSetting(
            "at least one folder of a comparison is expected, such as runs/NAME, got none"
        )
    if config.out is None and len(folders) > 1:
        raise InvalidSetting(f"out=FOLDER must say where to write for {len(folders)} comparisons")
    return folders[0] if config.out is None else Path(config.out)


def _make_groups(
    winners: Winners, rules: Mapping[str, Rule], fewest: int
) -> tuple[list[Group], list[str]]:
    """The groups with enough finalists, and what is to be said of the others.

    Raises NasArenaError where even all together have too few.
    """
    groups, left_out = [], []
    for name, runs in make_groups(winners).items():
        try:
            refuse_small_pool(make_pool(winners.space, runs), fewest, winners.name)
        except NasArenaError as error:
            if name == ALL:
                raise
            left_out.append(f"{name} winners have no table of their own: {error}")
        else:
            groups.append(apply_rules(name, winners.space, runs, rules))
    return groups, left_out


def _announce(winners: Winners, groups: Sequence[Group], console: Console) -> None:
    patterns = {made.pattern for group in groups for made in group.aggregates.values()}
    others = f" ({winners.num_excluded} runs excluded)" if winners.num_excluded else ""
    console.print(
        f"{len(winners.runs)} runs of {len(winners.searchers)} searchers{others}; "
        f"{len(groups[0].aggregates)} rules name {len(patterns)} different patterns, to be scored "
        f"by {winners.judge.name}",
        markup=False,
        soft_wrap=True,
    )


def _score(
    winners: Winners, groups: Sequence[Group], config: AggregateConfig, console: Console
) -> dict[str, Floats]:
    """Scores `(n,)` of every pattern on the same fresh seeds, each once; NaN: failed."""
    named = dict.fromkeys(made.pattern for group in groups for made in group.aggregates.values())
    trains = build_proxy(winners.judge, winners.space, config.cache).abilities.trains
    count = config.seeds or (_SEEDS_OF_TRAINING if trains else _SEEDS_OF_FORMULA)
    seeds = [stream_seed(config.first_seed + i, "aggregate") for i in range(count)]
    outcomes = score_patterns(
        list(named), seeds, winners.judge, winners.space, config.cache, config.workers, console,
        "held_out",
    )  # fmt: skip
    return {
        pattern: np.array([_number(outcome.score) for outcome in own])
        for pattern, own in zip(named, outcomes, strict=True)
    }


def _number(score: float | None) -> float:
    return float("nan") if score is None else score


def _worth(winners: Winners, fresh: Mapping[str, Floats], config: AggregateConfig) -> Worth:
    """Exact where the searched proxy knows the truth."""
    proxy = build_proxy(winners.proxy, winners.space, config.cache)
    if isinstance(proxy, KnownProxy):
        return exact_worth(proxy, config.resamples)
    return estimate_worth(winners, fresh, config.resamples)


def _judge(
    groups: Sequence[Group],
    rules: Mapping[str, Rule],
    fresh: Mapping[str, Floats],
    worth: Worth,
    config: AggregateConfig,
) -> dict[str, list[report.RuleRow]]:
    """The rows of each group's table."""
    rows_of = {}
    for group in groups:
        resampled = resample_worths(group, rules, worth, config.resamples)
        standings = judge(group, worth, resampled)
        rows_of[group.name] = [
            report.RuleRow(
                rule, made.pattern, made.num_voters, standings[rule],
                [score for score in fresh[made.pattern].tolist() if np.isfinite(score)],
                worth.is_exact,
            )
            for rule, made in group.aggregates.items()
        ]  # fmt: skip
    return rows_of


def _notes(
    winners: Winners, fresh: Mapping[str, Floats], worth: Worth, config: AggregateConfig
) -> list[str]:
    """What the tables rest on, in words."""
    num_seeds = len(next(iter(fresh.values())))
    notes = [
        "made of: how many different patterns a rule looked at; each has one vote.",
        f"score: mean and standard error on {num_seeds} fresh seeds of {winners.judge.name}, "
        "held-out data, the same seeds for all rules.",
    ]
    if worth.is_exact:
        notes.append(
            f"exact regret: how far the true score is below the optimum of {winners.proxy.name}; 0 "
            "is the best pattern of the space."
        )
    else:
        notes.append(
            "in resamples the fresh seeds are drawn again too; a pattern that was not scored on "
            "them counts with the posterior mean of one model of the finalists' held-out scores."
        )
    notes.append(
        f"95 % over searchers: {config.resamples} draws of the searchers with all their runs, the "
        "rule applied again to each; with few searchers that is coarse."
    )
    if winners.num_excluded:
        notes.append(f"{winners.num_excluded} runs are excluded: nasarena report says why.")
    return notes


def _write(folder: Path, csv: str, page: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_text(folder / "aggregate.csv", csv)
        replace_text(folder / "aggregate.md", page)
    except OSError as error:
        raise NasArenaError(f"cannot write to {folder}: {error.strerror}") from error


def _show(
    groups: Sequence[Group],
    rows_of: Mapping[str, Sequence[report.RuleRow]],
    left_out: Sequence[str],
    console: Console,
) -> None:
    for group in groups:
        console.print(report.terminal_table(report.group_title(group), rows_of[group.name]))
        console.print()
    verdicts = [report.verdict(group, rows_of[group.name]) for group in groups]
    for words in (*left_out, *verdicts):
        console.print(words, markup=False, soft_wrap=True)
