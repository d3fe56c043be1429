"""Several comparisons side by side: by how much each searcher beats random search.

A picture that stands alone: on a problem where searchers differ, and on one where they do not, the
same test is asked the same question. `make first-figure` draws README's first picture so:

    python -m nasarena.figures.side_by_side runs/LANDSCAPE runs/BENCHMARK docs/figures/first.png
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nasarena.figures.plots.style import (
    INK,
    MUTED,
    headline,
    house_style,
    looks,
    new_figure,
    shorten,
)
from nasarena.figures.results.analysis import analyze
from nasarena.figures.stats.multiple import Comparison
from nasarena.figures.suite.ranking_figure import ground
from nasarena.figures.suite.results import is_suite, read_suite
from nasarena.search.errors import NasArenaError
from nasarena.search.run_config import BASELINE

TITLE = "Who beats random search? The same test on {count} problems"
_ROW_INCHES = 0.3


@dataclass(frozen=True)
class Panel:
    """What is drawn of a comparison; `ground` says what it ran on and over how many seeds."""

    name: str
    against: Mapping[str, Sequence[Comparison]]
    searchers: Sequence[str]
    ground: str
    axis: str

    @property
    def pairs(self) -> list[Comparison]:
        """Every searcher against random search, the best first."""
        against = self.against.get(BASELINE)
        if not against:
            raise NasArenaError(f"{self.name} has nobody to compare with random search")
        return sorted(against, key=lambda pair: -pair.difference.estimate)


def draw(panels: Sequence[Panel]) -> Figure:
    """A panel for each comparison. Raises NasArenaError for one without random search."""
    with house_style():
        num_rows = max(len(panel.pairs) for panel in panels)
        figure = new_figure(4.9 * len(panels), 2.1 + _ROW_INCHES * num_rows)
        count = {2: "two", 3: "three"}.get(len(panels), str(len(panels)))
        headline(figure, TITLE.format(count=count), _DETAIL)
        for axes, panel in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            _draw_panel(axes, panel)
            axes.set_ylim(num_rows - 0.4, -0.6)
    return figure


def panel_of(folder: Path) -> Panel:
    """The comparison, or the comparison over landscapes, in a folder."""
    if is_suite(folder):
        suite = read_suite(folder)
        axis = "normalized regret below random search's"
        return Panel(suite.name, suite.against, suite.searchers, ground(suite), axis)
    analysis = analyze(folder)
    tables, standings = analysis.tables, analysis.standings
    return Panel(
        tables.name,
        standings.against,
        tables.searchers,
        f"{tables.ground}, {tables.seeds_in_words}",
        f"{standings.score_name} above random search's{tables.unit_in_brackets}",
    )


_DETAIL = (
    "Mean paired difference to random search with the 95 % interval of the exact test. Filled, "
    "with p: significant (Holm's correction, 0.05); hollow: not distinguishable."
)


def _draw_panel(axes: Axes, panel: Panel) -> None:
    pairs, style = panel.pairs, looks(panel.searchers)
    axes.axvline(0, color=INK, lw=0.9)
    for row, pair in enumerate(pairs):
        look, found = style[pair.first], pair.difference
        axes.plot([found.low, found.high], [row, row], color=look.color, lw=2)
        fill = look.color if pair.is_significant else "white"
        axes.plot(found.estimate, row, look.marker, ms=7, color=look.color, mfc=fill, mew=1.4)
        if pair.is_significant:
            axes.annotate(f"p = {pair.p_holm:.1g}", (1, row), (4, 0), fontsize=7.5, color=INK,
                          xycoords=("axes fraction", "data"), textcoords="offset points",
                          va="center", annotation_clip=False)  # fmt: skip
    axes.set_yticks(range(len(pairs)), [shorten(pair.first, 24) for pair in pairs])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_xlabel(panel.axis)
    axes.set_title(f"{_answer(pairs)}\n", fontweight="bold")
    axes.annotate(panel.ground, (0, 1), (0, 5), fontsize=7,
                  xycoords="axes fraction", textcoords="offset points", color=MUTED)  # fmt: skip


def _answer(pairs: Sequence[Comparison]) -> str:
    num_better = sum(pair.is_significant and pair.favours_first for pair in pairs)
    if not any(pair.is_significant for pair in pairs):
        return f"None of {len(pairs)} is distinguishable from it"
    return f"{num_better} of {len(pairs)} beat it"


def main(arguments: Sequence[str]) -> None:
    """Draw the comparisons in all folders but the last, which is the file to write."""
    if len(arguments) < 2:
        raise SystemExit("give the folders of comparisons, then the file to draw into")
    *folders, file = map(Path, arguments)
    with matplotlib.rc_context({"axes.unicode_minus": False}):
        draw([panel_of(folder) for folder in folders]).savefig(file, dpi=150)


if __name__ == "__main__":
    main(sys.argv[1:])
