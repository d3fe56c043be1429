"""An audit in words and as a table: `table.csv` holds every number, `audit.md` what they mean."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from nasarena.figures.audit.findings import Findings, Needed, Transfer
from nasarena.figures.stats.intervals import Interval
from nasarena.figures.stats.power import MAX_SEEDS_PLANNED, POWER
from nasarena.figures.stats.reliability import reliability_of_mean

_AVERAGED = 3  # trainings, in the sentence on what averaging buys


def table(found: Findings) -> pd.DataFrame:
    """One row per level: rank agreement with 95 % limits, regret at k in standard deviations."""
    return pd.DataFrame([_row(found, each) for each in found.transfers])


def verdict(found: Findings, threshold: float) -> list[str]:
    """Sentences, the most important first."""
    return [_noise(found, threshold), *_seeds(found), *_levels(found), *_sample_sizes(found)]


def passes(found: Findings, threshold: float) -> bool:
    """Whether one training distinguishes patterns: ICC at the threshold or above."""
    return bool(found.noise.icc.estimate >= threshold)


def markdown(
    found: Findings, sentences: Sequence[str], name: str, source: Mapping[str, str]
) -> str:
    """The report: verdict, table, seeds needed, and where it comes from."""
    first, *others = sentences
    lines = [f"# Audit of {name}", "", f"**{first}**", "", *[f"- {text}" for text in others], ""]
    lines += ["![audit](audit.png)", "", *level_table(found), "", *gap_table(found), ""]
    lines += [f"{key}: {value}  " for key, value in source.items()]
    return "\n".join(lines) + "\n"


def level_table(found: Findings) -> list[str]:
    """Agreement and regret by level as a markdown table."""
    picks = list(found.seeds.regret)
    head = ["axis", "believed", "patterns", "failed", "Kendall tau", "Spearman rho"]
    head += ["tau in the best tenth", "tau, seeds averaged"]
    head += [f"regret at {k} (by chance)" for k in picks]
    rows = [head, ["---"] * len(head)]
    for each in found.transfers:
        regrets = [
            f"{each.regret[k]:.2f} ({each.chance[k]:.2f})" if k in each.regret else "-"
            for k in picks
        ]
        ranks = [_limits(each.whole.kendall), _limits(each.whole.spearman), best_in_words(each)]
        averaged = "-" if np.isnan(each.averaged) else f"{each.averaged:.2f}"
        counts = [str(each.num_patterns), str(each.num_failed)]
        rows.append([each.axis, each.level, *counts, *ranks, averaged, *regrets])
    return [f"| {' | '.join(row)} |" for row in rows]


def gap_table(found: Findings) -> list[str]:
    """Seeds needed by gap as a markdown table."""
    lines = [
        f"| gap, in sd of patterns | gap in score | paired seeds, two patterns | paired seeds, two "
        f"final scores of {found.trainings} trainings (at least) |",
        "|---|---|---|---|",
    ]
    for each in found.needed:
        counts = f"{count(each.between_patterns)} | {count(each.between_runs)}"
        lines.append(f"| {each.gap_in_sd:g} | {each.gap:.4f} | {counts} |")
    return lines


def best_in_words(each: Transfer) -> str:
    """Tau within the best tenth, or why there is none."""
    if np.isnan(each.best.kendall.estimate):
        return f"too few ({each.best.num_patterns})"
    return f"{_limits(each.best.kendall)} of {each.best.num_patterns}"


def count(seeds: int | None) -> str:
    """A number of seeds as text."""
    return f"more than {MAX_SEEDS_PLANNED:,}" if seeds is None else str(seeds)


def carries_over(each: Transfer, ceiling: Transfer) -> str:
    """How a level's ranks agree with the proxy's, against what another seed leaves of them."""
    tau = each.whole.kendall
    if np.isnan(tau.low):
        return "not known"
    if tau.low <= 0:
        return "not shown to agree"
    if tau.high >= ceiling.whole.kendall.estimate:
        return "agrees, not shown to be worse than another seed"
    return "agrees in part"


def _noise(found: Findings, threshold: float) -> str:
    icc = found.noise.icc
    if np.isnan(icc.estimate):
        return "Not to be trusted: all scores are the same, so no pattern can be distinguished."
    share = (
        f"{max(0.0, icc.estimate):.0%} of the variance of a score is due to the pattern "
        f"(ICC {_limits(icc, 3)}, threshold {threshold:g})"
    )
    if passes(found, threshold):
        doubt = "" if icc.low >= threshold else "; the interval reaches below the threshold"
        return f"Trustworthy: {share}; one training distinguishes patterns{doubt}."
    if icc.estimate >= 0.5:
        return f"Noisy: {share}; a searcher often follows the seed. Train longer or average seeds."
    return f"Not to be trusted: {share}; the best score of a search is mostly luck."


def _seeds(found: Findings) -> list[str]:
    noise, tau = found.noise, found.seeds.whole.kendall
    if np.isnan(noise.icc.estimate):
        return []
    return [
        f"Training the same pattern again moves its score by {noise.sd_seed:.4f} (standard "
        f"deviation); patterns differ by {noise.sd_pattern:.4f}. Of a mean over {_AVERAGED} seeds, "
        f"{max(0.0, reliability_of_mean(noise.icc.estimate, _AVERAGED)):.0%} would be due to the "
        f"pattern.",
        f"Two seeds rank {noise.num_patterns} patterns with Kendall tau {_limits(tau)}: "
        f"that is as far as one training agrees with another.",
    ]


def _levels(found: Findings) -> list[str]:
    return [_level(each, found.seeds) for each in found.transfers[1:]]


def _level(each: Transfer, ceiling: Transfer) -> str:
    where = f"{each.axis}, {each.level}"
    if not each.regret:
        reason = f" ({each.note})" if each.note else ""
        return f"{where}: only {each.num_patterns} patterns could be trained{reason}."
    k = sorted(each.regret)[len(each.regret) // 2]
    failed = f", {each.num_failed} more failed" if each.num_failed else ""
    return (
        f"{where}: {carries_over(each, ceiling)} (Kendall tau {_limits(each.whole.kendall)}, "
        f"{each.num_patterns} patterns{failed}); the best of {k} picked is "
        f"{each.regret[k]:.2f} sd below the best of all, by chance {each.chance[k]:.2f}."
    )


def _sample_sizes(found: Findings) -> list[str]:
    return [
        f"To see a gap of {_gap(each)} takes {count(each.between_patterns)} paired seeds between "
        f"two patterns, at least {count(each.between_runs)} between two final scores of "
        f"{found.trainings} trainings each (power {POWER:g})."
        for each in found.needed
    ]


def _gap(each: Needed) -> str:
    return f"{each.gap:.4f} ({each.gap_in_sd:g} sd of patterns)"


def _limits(interval: Interval, digits: int = 2) -> str:
    if np.isnan(interval.low):
        return f"{interval.estimate:.{digits}f}"
    numbers = (interval.estimate, interval.low, interval.high)
    estimate, low, high = (f"{number:.{digits}f}" for number in numbers)
    return f"{estimate} [{low}, {high}]"


def _row(found: Findings, each: Transfer) -> dict[str, object]:
    row: dict[str, object] = {
        "axis": each.axis,
        "level": each.level,
        "patterns": each.num_patterns,
        "failed": each.num_failed,
        "seeds": each.num_seeds,
        "reading": "" if each is found.seeds else carries_over(each, found.seeds),
    }
    for name, within in (("", each.whole), ("best_", each.best)):
        for measure, found_there in (("kendall", within.kendall), ("spearman", within.spearman)):
            row[f"{name}{measure}"] = found_there.estimate
            row[f"{name}{measure}_low"] = found_there.low
            row[f"{name}{measure}_high"] = found_there.high
    row |= {"best_patterns": each.best.num_patterns, "kendall_of_averages": each.averaged}
    for k in found.seeds.regret:
        row[f"regret_at_{k}"] = each.regret.get(k, float("nan"))
        row[f"chance_at_{k}"] = each.chance.get(k, float("nan"))
    return row
