"""The audit of a proxy on one page: is it noise, does it carry over, what does a pick cost.

Top left every training of the proxy as it is, patterns in the order of their mean; top right the
rank agreement along every axis against what another seed leaves of the ranks; then regret at k and
seeds needed; below, pattern by pattern, the proxy's score against that of every level.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import NullLocator

from nasarena.figures.audit.findings import Findings, Transfer, whole_rows
from nasarena.figures.audit.report import count
from nasarena.figures.plots.style import (
    FAINT,
    INK,
    MUTED,
    Look,
    headline,
    house_style,
    looks,
    new_figure,
    plain_log,
    shorten,
)

_NUM_COLUMNS = 4


def draw(scores: pd.DataFrame, found: Findings, title: str, verdict: str) -> Figure:
    """The figure of an audit; `scores` is the tidy frame that `found` was found in."""
    levels = [each for each in found.transfers[1:] if each.regret]
    style = looks([name_of(each) for each in levels])
    num_rows = -(-len(levels) // _NUM_COLUMNS)
    with house_style():
        figure = new_figure(11, 7.6 + 2.5 * num_rows)
        headline(figure, title, _detail(found, verdict))
        heights = [3.6 + 0.12 * len(levels), 3.0, *([2.5 * num_rows] if num_rows else [])]
        strips = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
        upper = strips[0].subplots(1, 2)
        _draw_noise(upper[0], scores, found)
        _draw_agreement(upper[1], found, style)
        lower = strips[1].subplots(1, 2)
        _draw_regret(lower[0], [found.seeds, *levels], style)
        _draw_sample_sizes(lower[1], found)
        if num_rows:
            _draw_scatters(strips[2], scores, levels, style, num_rows)
    return figure


def name_of(each: Transfer) -> str:
    """What a level is called in the figure."""
    return f"task {each.level}" if each.axis == "tasks" else each.level


def _draw_noise(axes: Axes, scores: pd.DataFrame, found: Findings) -> None:
    own = whole_rows(scores, "seeds", "as it is").to_numpy()
    own = own[np.argsort(own.mean(axis=1), kind="stable")]
    places = np.arange(1, len(own) + 1)
    axes.vlines(places, own.min(axis=1), own.max(axis=1), color=FAINT, lw=1.2)
    axes.plot(np.repeat(places, own.shape[1]), own.ravel(), "o", ms=2.6, color="#56b4e9")
    axes.plot(places, own.mean(axis=1), "_", ms=5, mew=1.4, color=INK)
    icc = found.noise.icc
    limits = "" if np.isnan(icc.low) else f" [{icc.low:.2f}, {icc.high:.2f}]"
    spreads = f"{found.noise.sd_pattern:.4f} by pattern, {found.noise.sd_seed:.4f} by seed"
    axes.set_title(f"One score: sd {spreads}; ICC {icc.estimate:.2f}{limits}")
    axes.set_xlabel("patterns in the order of their mean (bar); a dot is one training")
    axes.set_ylabel("score (higher is better)")


def _draw_agreement(axes: Axes, found: Findings, style: dict[str, Look]) -> None:
    names = []
    for row, each in enumerate(found.transfers):
        look = style.get(name_of(each), Look(INK, "solid", "o"))
        _draw_row(axes, row, each, look)
        failed = f", {each.num_failed} failed" if each.num_failed else ""
        names.append(f"{shorten(name_of(each), 26)} ({each.num_patterns}{failed})")
    ceiling = found.seeds.whole.kendall.estimate
    axes.axvline(ceiling, color=MUTED, lw=0.8, ls=(0, (4, 2)), zorder=0)
    axes.axvline(0, color=FAINT, lw=0.8, zorder=0)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(1.1 * len(names) - 0.5, -0.5)  # below, the legend has room of its own
    axes.set_xlim(min(-0.05, _lowest(found)), 1.02)
    for marker, fill, label in (
        ("o", MUTED, "Kendall"), ("o", "white", "Spearman"), ("x", MUTED, "Kendall, best tenth")
    ):  # fmt: skip
        axes.plot([], [], marker, color=MUTED, mfc=fill, ms=5, label=label)
    axes.legend(loc="lower center", ncols=3, fontsize=7)
    axes.set_title("Do ranks hold?")
    axes.set_xlabel("rank correlation with one training of the proxy, 95 % interval")


def _draw_row(axes: Axes, row: int, each: Transfer, look: Look) -> None:
    marks = (
        (each.whole.kendall, -0.16, look.marker, look.color),
        (each.whole.spearman, 0.06, look.marker, "white"),
        (each.best.kendall, 0.28, "x", look.color),
    )
    for interval, shift, marker, fill in marks:
        if np.isnan(interval.estimate):
            continue
        at = row + shift
        axes.plot([interval.low, interval.high], [at, at], color=look.color, lw=1.1, alpha=0.8)
        axes.plot(interval.estimate, at, marker, ms=5, mec=look.color, mfc=fill)


def _lowest(found: Findings) -> float:
    known = [
        interval.low if not np.isnan(interval.low) else interval.estimate
        for each in found.transfers
        for interval in (each.whole.kendall, each.whole.spearman, each.best.kendall)
        if not np.isnan(interval.estimate)
    ]
    return min(known, default=0.0) - 0.04


def _draw_regret(axes: Axes, levels: list[Transfer], style: dict[str, Look]) -> None:
    for each in levels:
        look = style.get(name_of(each), Look(INK, "solid", "o"))
        picks = list(each.regret)
        axes.plot(
            picks, list(each.regret.values()), color=look.color, ls=look.dash, marker=look.marker,
            ms=4, lw=1.3, label=name_of(each),
        )  # fmt: skip
    chances = np.array([list(each.chance.values()) for each in levels])
    axes.fill_between(
        list(levels[0].chance), chances.min(axis=0), chances.max(axis=0), color=FAINT, zorder=0,
        label="picked by chance",
    )  # fmt: skip
    axes.set_xticks(list(levels[0].regret))
    axes.set_ylim(bottom=0)
    is_long = len(levels) > 5
    if is_long:  # above, the legend has room of its own
        axes.set_ylim(top=1.35 * axes.get_ylim()[1])
    axes.set_title("What a pick costs: best of the proxy's best k, below the best of all")
    axes.set_xlabel("k, patterns picked by one training")
    axes.set_ylabel("regret, sd of patterns there")
    axes.legend(ncols=2 if is_long else 1, fontsize=7)


def _draw_sample_sizes(axes: Axes, found: Findings) -> None:
    gaps = [each.gap_in_sd for each in found.needed]
    lines = (
        ("two patterns", [each.between_patterns for each in found.needed], "o", "solid"),
        (
            f"two final scores of {found.trainings} trainings, at least",
            [each.between_runs for each in found.needed],
            "s",
            (0, (4, 1.5)),
        ),
    )
    for (label, counts, marker, dash), color in zip(lines, ("#0173b2", "#de8f05"), strict=True):
        known = [(gap, seeds) for gap, seeds in zip(gaps, counts, strict=True) if seeds]
        if known:
            axes.plot(*zip(*known, strict=True), marker=marker, ls=dash, color=color, label=label)
            for gap, seeds in known:
                axes.annotate(
                    str(seeds), (gap, seeds), (0, 5), textcoords="offset points", ha="center",
                    fontsize=7, color=color,
                )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.margins(y=0.15)
    plain_log(axes.yaxis)
    axes.set_xticks(gaps, [f"{gap:g}" for gap in gaps])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_title("Paired seeds that find a gap at p < .05 with power 0.8")
    axes.set_xlabel(f"gap, in sd of patterns ({found.noise.sd_pattern:.4f})")
    axes.set_ylabel("seeds")
    if axes.lines:
        axes.legend(fontsize=7)
    else:
        axes.text(0.5, 0.5, f"{count(None)} for every gap", ha="center", transform=axes.transAxes)


def _draw_scatters(
    strip: SubFigure,
    scores: pd.DataFrame,
    levels: list[Transfer],
    style: dict[str, Look],
    num_rows: int,
) -> None:
    cells = strip.subplots(num_rows, _NUM_COLUMNS, squeeze=False).ravel()
    for axes in cells[len(levels) :]:
        axes.set_axis_off()
    for axes, each in zip(cells, levels, strict=False):
        picking, believed = _points(scores, each)
        look = style[name_of(each)]
        axes.plot(picking, believed, look.marker, ms=3.2, color=look.color, alpha=0.8)
        axes.set_title(f"{shorten(name_of(each), 30)}: tau {each.whole.kendall.estimate:.2f}")
        is_task = each.axis == "tasks"
        axes.set_xlabel("task's own score" if is_task else "proxy's score (mean)", fontsize=8)
        axes.set_ylabel("mean of other tasks" if is_task else "score there", fontsize=8)


def _points(scores: pd.DataFrame, each: Transfer) -> tuple[pd.Series, pd.Series]:
    """Means over seeds of the patterns that both have."""
    if each.axis == "tasks":
        rows = scores[scores["axis"] == "tasks"]
        own = rows[rows["level"] == each.level].groupby("pattern")["score"].mean()
        others = rows[rows["level"] != each.level].groupby("pattern")["score"].mean()
        return own, others.loc[own.index]
    own = whole_rows(scores, "seeds", "as it is").mean(axis=1)
    there = whole_rows(scores, each.axis, each.level).mean(axis=1)
    common = own.index.intersection(there.index, sort=False)
    return own.loc[common], there.loc[common]


def _detail(found: Findings, verdict: str) -> str:
    noise = found.noise
    return (
        f"{verdict} {noise.num_patterns} random patterns x {noise.num_seeds} seeds as it is; in "
        f"brackets, patterns compared. Along every other axis trainings have seeds of their own. "
        f"Dashed: Kendall's tau between two seeds, a ceiling. Intervals: bootstrap over patterns; "
        f"of the ICC, exact for normal scores. What is believed is noisy too, which lowers "
        f"agreement and raises regret, the more so with one training a pattern."
    )
