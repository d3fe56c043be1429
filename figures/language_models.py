"""What a language model brings to a search: each model's agents and controls beside the others.

Reads one comparison, or one over landscapes. A row is a searcher; those without a language model
come first, then each model with its agents, then the same agent with something withheld. What the
agent loses by that, it had from there: scores, letters, history. On a benchmark the axis is the
normalized regret of what each run handed in, else the final score.

    python -m nasarena.figures.language_models runs/NAME docs/figures/language-models.png
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nasarena.figures.language_model_chart import Chart, Row, chart_of
from nasarena.figures.plots.style import INK, MUTED, headline, house_style, new_figure
from nasarena.figures.stats.multiple import Comparison
from nasarena.search.run_config import BASELINE

TITLE = "What a language model brings to this search"
_COLORS = ("#4a4a4a", "#0173b2", "#de8f05", "#029e73", "#cc78bc")
_ROW_INCHES = 0.21


def draw(chart: Chart) -> Figure:
    """The figure: groups of rows with intervals; random search's interval is a band."""
    groups = list(dict.fromkeys(row.model for row in chart.rows.values()))
    places = _places(chart, groups)
    num_rows = max(places.values(), default=0.0) + 1
    with house_style():
        figure = new_figure(7.6, 1.9 + _ROW_INCHES * num_rows)
        headline(figure, TITLE, _detail(chart), chart.ground)
        axes = figure.subplots()
        band = chart.interval(BASELINE)
        axes.axvspan(band.low, band.high, color="#eeeeee", lw=0, zorder=0)
        axes.axvline(band.estimate, color=MUTED, lw=0.8, zorder=1)
        against = chart.against_random
        for name, row in chart.rows.items():
            color = _COLORS[groups.index(row.model) % len(_COLORS)]
            _draw_row(axes, places[name], name, row, color, chart, against.get(name))
        for group in groups:
            first = min(places[name] for name, row in chart.rows.items() if row.model == group)
            axes.annotate(group, (0, first - 0.95), xycoords=("axes fraction", "data"),
                          xytext=(-4, 0), textcoords="offset points", ha="right",
                          va="center", fontsize=8, fontweight="bold", color=INK)  # fmt: skip
        axes.set_yticks(list(places.values()), [row.title for row in chart.rows.values()])
        for tick, row in zip(axes.get_yticklabels(), chart.rows.values(), strict=True):
            tick.set_color(MUTED if row.control else INK)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(num_rows - 0.4, -0.6)
        if chart.is_regret:
            axes.set_xlim(left=0)
        axes.grid(axis="x")
        axes.set_xlabel(chart.axis)
    return figure


def _places(chart: Chart, groups: Sequence[str]) -> dict[str, float]:
    """The height of every row; a group has a line for its name before it."""
    places, at = {}, 0.0
    for group in groups:
        at += 1
        for name in [name for name, row in chart.rows.items() if row.model == group]:
            places[name] = at
            at += 1
        at += 0.3
    return {name: places[name] for name in chart.rows}


def _draw_row(
    axes: Axes, at: float, name: str, row: Row, color: str, chart: Chart, pair: Comparison | None
) -> None:
    found = chart.interval(name)
    faint = 0.55 if row.control else 1.0
    if not np.isnan(found.low):
        axes.plot([found.low, found.high], [at, at], color=color, lw=2, alpha=faint)
    is_shown = pair is not None and pair.is_significant
    marker, size = ("D", 5) if row.control else ("o", 6.5)
    axes.plot(found.estimate, at, marker, ms=size, color=color, alpha=faint, mew=1.2,
              mfc=color if is_shown else "white")  # fmt: skip
    better = pair is not None and pair.favours_first
    says = ""
    if is_shown and pair:
        digits = 2 if pair.p_holm >= 0.01 else 1  # 0.049 is no 0.05
        says = f"  {'better' if better else 'worse'}, p = {pair.p_holm:.{digits}g}"
    axes.annotate(f"{found.estimate:.3f}{says}", (1.01, at), xycoords=("axes fraction", "data"),
                  va="center", fontsize=7, color=MUTED, annotation_clip=False)  # fmt: skip


def _detail(chart: Chart) -> str:
    blocks = next(iter(chart.rows.values())).values.size
    left_out = (
        f" Not shown, for want of finished runs: {', '.join(chart.missing)}."
        if chart.missing
        else ""
    )
    has_controls = any(row.control for row in chart.rows.values())
    diamonds = (
        " Diamonds: controls, the same agent with something withheld." if has_controls else ""
    )
    return (
        f"Marks and bars: interquartile mean over {blocks} paired runs with its 95 % interval. "
        f"Filled, with p: distinguishable from random search (exact paired test, Holm's "
        f"correction within a group, 0.05), whose own interval is the grey band."
        f"{diamonds}{left_out}"
    )


def main(arguments: Sequence[str]) -> None:
    """Draw the comparison in a folder into a file."""
    if len(arguments) != 2:
        raise SystemExit("give the folder of a comparison, then the file to draw into")
    folder, file = map(Path, arguments)
    with matplotlib.rc_context({"axes.unicode_minus": False}):
        draw(chart_of(folder)).savefig(file, dpi=150)


if __name__ == "__main__":
    main(sys.argv[1:])
