"""What `nasarena aggregate` says: a table for each group, a sentence, and the sizes beyond."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from nasarena.experiments.scaling.aggregate import BEST
from nasarena.experiments.scaling.extrapolate import Extrapolation, extrapolate_to_parameters
from nasarena.experiments.scaling.resampling import FEWEST_SEARCHERS, Group, Standing
from nasarena.experiments.scaling.sizes import PublishedSize, count_parameters, training_flops
from nasarena.figures.stats.intervals import Interval
from nasarena.search.errors import InvalidSetting
from nasarena.search.notation import run_lengths

if TYPE_CHECKING:
    import pandas as pd

_CONTEXT = 8_192  # tokens of a sequence at scale, as published
_ON_PAGE_ONLY = ("made of", "95 % over searchers")
_RULES: tuple[Extrapolation, ...] = ("stretch", "stack")


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule's pattern in a group.

    It is worth minus its exact regret where `is_exact`, else its score. `scores` are those on fresh
    seeds that succeeded.
    """

    rule: str
    pattern: str
    num_voters: int
    standing: Standing
    scores: Sequence[float]
    is_exact: bool

    @property
    def worth(self) -> Interval:
        """Exact regret or score, as it is read."""
        return -self.standing.worth if self.is_exact else self.standing.worth

    @property
    def gain(self) -> Interval:
        """By how much it is better than the best single finalist."""
        return self.standing.gain

    @property
    def score(self) -> Interval:
        """Mean score on the fresh seeds, with limits of one standard error."""
        if not self.scores:
            return Interval(float("nan"), float("nan"), float("nan"))
        mean = float(np.mean(self.scores))
        count = len(self.scores)
        error = float(np.std(self.scores, ddof=1) / count**0.5) if count > 1 else float("nan")
        return Interval(mean, mean - error, mean + error)


def best_row(rows: Sequence[RuleRow]) -> RuleRow:
    """The row of the best pattern; of equal ones the best single finalist, then the first.

    Patterns whose trainings all failed come last, whatever else is known of them.
    """
    sound = [row for row in rows if row.scores] or rows
    return max(sound, key=lambda row: (round(row.gain.estimate, 9), row.rule == BEST))


def table(rows_of: Mapping[str, Sequence[RuleRow]]) -> "pd.DataFrame":
    """One row for each group and rule: the content of aggregate.csv.

    `low` and `high` are limits of the regret, of the score where there is none.
    """
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "group": group,
                "rule": row.rule,
                "pattern": row.pattern,
                "run_lengths": run_lengths(row.pattern),
                "num_voters": row.num_voters,
                "regret": row.worth.estimate if row.is_exact else float("nan"),
                "low": row.worth.low,
                "high": row.worth.high,
                "gain": row.gain.estimate,
                "gain_low": row.gain.low,
                "gain_high": row.gain.high,
                "score": row.score.estimate,
                "score_error": row.score.high - row.score.estimate,
                "num_scores": len(row.scores),
            }
            for group, rows in rows_of.items()
            for row in rows
        ]
    )


def columns(rows: Sequence[RuleRow]) -> list[str]:
    """Heads of the table of a group."""
    worth = ["exact regret", "95 % over searchers"] if rows[0].is_exact else ["95 % over searchers"]
    return ["rule", "pattern", "made of", "score", *worth, "gain over best single"]


def cells(row: RuleRow) -> list[str]:
    """One row as text."""
    worth = row.worth
    limits = "" if np.isnan(worth.low) else f"{worth.low:.4f} to {worth.high:.4f}"
    gain = "" if row.rule == BEST else f"{row.gain.estimate:+.4f}"
    if gain and not np.isnan(row.gain.low):
        gain += f" ({row.gain.low:+.4f} to {row.gain.high:+.4f})"
    score = "failed" if not row.scores else f"{row.score.estimate:.4f}"
    if len(row.scores) > 1:
        score += f" +- {row.score.high - row.score.estimate:.4f}"
    judged = [f"{worth.estimate:.4f}", limits] if row.is_exact else [limits]
    return [row.rule, run_lengths(row.pattern), str(row.num_voters), score, *judged, gain]


def terminal_table(title: str, rows: Sequence[RuleRow]) -> Table:
    """A group on the terminal, without what only the page has room for."""
    shown = Table(title=title, title_justify="left", box=None)
    heads = columns(rows)
    wide = {place for place, name in enumerate(heads) if name in _ON_PAGE_ONLY}
    for place, name in enumerate(heads):
        if place not in wide:
            is_text = name in ("rule", "pattern")
            shown.add_column(name, justify="left" if is_text else "right", no_wrap=is_text)
    for row in rows:
        shown.add_row(*(cell for place, cell in enumerate(cells(row)) if place not in wide))
    return shown


def group_title(group: Group) -> str:
    """What was put together."""
    names = group.searchers
    who = f"{len(names)} searchers" if len(names) > 1 else names[0]
    runs = "one run" if len(group.runs) == 1 else f"{len(group.runs)} runs"
    return f"{group.name}: {group.num_finalists} different finalists of {runs} of {who}"


def verdict(group: Group, rows: Sequence[RuleRow]) -> str:
    """Which rule gave the best pattern of a group, and whether that is more than chance."""
    best = best_row(rows)
    what = "regret" if best.is_exact else "score"
    said = f"{group.name}: {best.rule} gives the best pattern, {run_lengths(best.pattern)}, {what} "
    said += f"{best.worth.estimate:.4f}"
    if best.rule == BEST:
        return f"{said}: no rule is better than the best single finalist."
    said += f", {best.gain.estimate:.4f} better than the best single finalist"
    limits = f"{best.gain.low:+.4f} to {best.gain.high:+.4f} over resampled searchers"
    if best.standing.is_shown:
        return f"{said} ({limits})."
    num_searchers = len(group.searchers)
    if num_searchers < 2:
        return f"{said}; one searcher cannot be resampled, so there is no interval."
    if num_searchers < FEWEST_SEARCHERS:
        return f"{said} ({limits}); {num_searchers} searchers are too few to show a difference."
    return f"{said} ({limits}); of {len(rows)} rules the best may be that by luck: not shown."


def scale_rows(pattern: str, sizes: Sequence[PublishedSize]) -> list[list[str]]:
    """Heads, then the pattern at each size, stretched and stacked."""
    rows = [["size", "rule", "pattern", "layers", "parameters", "aim", "training GFLOPs a token"]]
    for size in sizes:
        for rule in _RULES:
            rows.append([size.name, rule, *_at_size(pattern, rule, size)])
    return rows


def _at_size(pattern: str, rule: Extrapolation, size: PublishedSize) -> list[str]:
    try:
        large = extrapolate_to_parameters(pattern, rule, size.shape, size.parameters)
    except InvalidSetting as error:
        return [str(error), "", "", "", ""]
    return [
        run_lengths(large),
        f"{len(large)}: " + " ".join(f"{large.count(one)}{one}" for one in sorted(set(large))),
        f"{count_parameters(large, size.shape, 'layers') / 1e6:,.0f} M",
        f"{size.parameters / 1e6:,.0f} M",
        f"{training_flops(large, size.shape, _CONTEXT, _CONTEXT) / _CONTEXT / 1e9:.2f}",
    ]


def markdown(
    name: str,
    groups: Sequence[Group],
    rows_of: Mapping[str, Sequence[RuleRow]],
    notes: Sequence[str],
    at_scale: Sequence[Sequence[str]],
    source: Mapping[str, str],
) -> str:
    """The page aggregate.md."""
    lines = [f"# Aggregated winners of {name}", ""]
    lines += [f"- {verdict(group, rows_of[group.name])}" for group in groups]
    for group in groups:
        rows = rows_of[group.name]
        lines += ["", f"## {group_title(group)}", ""]
        lines += _markdown_table([columns(rows), *map(cells, rows)])
    if at_scale:
        lines += ["", "## The best pattern at scale", ""]
        lines += _markdown_table(at_scale)
        lines += ["", "Parameters are those of the projections of all layers, as in Composer."]
    lines += ["", "## How to read it", "", *(f"- {note}" for note in notes)]
    lines += [
        "",
        f"Made by `{source['command']}`, {source['date']}, commit {source['commit']}.",
        "",
    ]
    return "\n".join(lines)


def _markdown_table(rows: Sequence[Sequence[str]]) -> list[str]:
    head, *others = rows
    return [_line(head), "|" + "---|" * len(head), *map(_line, others)]


def _line(row: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
