"""Exact regret and rank over the budget; `results/exact.py` says what they are.

Only a benchmark can show them. The incumbent is chosen by its noisy search score and judged by its
true one, so a curve may rise again where the choice was wrong.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from nasarena.figures.plots.anytime import (
    aware_in_words,
    band_in_words,
    meter_grid,
    meter_label,
    placeholder_figure,
    star_names,
)
from nasarena.figures.plots.panels import CurveData, CurveFigure, Level, draw_data
from nasarena.figures.plots.style import nothing_to_show
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.benchmark import Benchmark
from nasarena.figures.results.exact import ExactValues
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.curves import Curve, step_fill
from nasarena.figures.stats.intervals import Floats, band
from nasarena.search.seeding import stream

REGRET = "Exact regret of the best pattern so far, by true score"
RANK = "Rank of the best pattern so far in the whole space, by true score"


def is_shown(analysis: Analysis) -> bool:
    """Whether true scores are known."""
    return analysis.tables.benchmark is not None


def has_ranks(analysis: Analysis) -> bool:
    """Whether the whole space was ranked."""
    known = analysis.tables.benchmark
    return known is not None and bool(known.ranks)


def curves(tables: Tables, values: Mapping[str, list[Floats]], what: str) -> dict[str, Curve]:
    """Interquartile means on the budget's own meter, as every anytime curve."""
    meter = tables.unit
    column, grid = tables.meter_column(meter), meter_grid(tables, meter)
    found = {}
    for name, runs in values.items():
        spent = [run[column].to_numpy() for run in tables.trials_by_seed(name)]
        filled = [step_fill(at, own, grid) for at, own in zip(spent, runs, strict=True)]
        found[name] = Curve(grid, *band(np.array(filled), stream(0, "bootstrap", name, what)))
    return found


def draw_regret(analysis: Analysis) -> Figure:
    """The figure of exact regret."""
    return draw_data(prepare_regret(analysis))


def prepare_regret(analysis: Analysis) -> CurveData:
    """The curves of exact regret; logarithmic where none of them is 0."""
    tables, exact = analysis.tables, analysis.exact
    if exact is None:
        return nothing_to_show(REGRET, "No benchmark: true scores are not known.")
    empty = _nothing(tables, exact, REGRET)
    if empty is not None:
        return empty
    known = exact.known
    found = {
        name: replace(curve, low=np.maximum(curve.low, 0.0))
        for name, curve in curves(tables, exact.regrets, "exact regret").items()
    }
    sheet = CurveFigure(
        title=REGRET,
        detail=_detail(tables, known) + aware_in_words(tables),
        x_label=meter_label(tables, tables.unit),
        y_label=f"true score below the optimum{tables.unit_in_brackets}\n(lower is better)",
        panel_label=f"exact regret{tables.unit_in_brackets}",
        ground=tables.ground,
        levels=[
            Level(name, known.best - known.scores[pattern])
            for name, pattern in _references(tables).items()
            if pattern in known.scores
        ],
        floor=_noise_of_a_training(known),
        names=star_names(tables),
        log=all(float(np.nanmin(curve.middle)) > 0 for curve in found.values()),
    )
    return found, sheet


def _noise_of_a_training(known: Benchmark) -> Level | None:
    spread = known.surrogate.spread if known.surrogate else 0.0
    return Level(f"noise of one training {spread:.3g}", spread) if spread > 0 else None


def draw_rank(analysis: Analysis) -> Figure:
    """The figure of ranks in the whole space."""
    return draw_data(prepare_rank(analysis))


def prepare_rank(analysis: Analysis) -> CurveData:
    """Curves of ranks in the whole space, averaged as logarithms, drawn as ranks."""
    tables, exact = analysis.tables, analysis.exact
    if exact is None or not exact.ranks:
        return nothing_to_show(RANK, "The whole space was not ranked.")
    empty = _nothing(tables, exact, RANK)
    if empty is not None:
        return empty
    known = exact.known
    logs = {name: [np.log10(run) for run in runs] for name, runs in exact.ranks.items()}
    found = {
        name: Curve(curve.grid, 10**curve.middle, 10**curve.low, 10**curve.high)
        for name, curve in curves(tables, logs, "exact rank").items()
    }
    sheet = CurveFigure(
        title=RANK,
        detail=f"1 is the optimum of all {known.size:,} patterns; means of logarithms. "
        + _detail(tables, known)
        + aware_in_words(tables),
        x_label=meter_label(tables, tables.unit),
        y_label="rank in the whole space\n(lower is better)",
        panel_label="rank",
        ground=tables.ground,
        levels=[
            Level(name, known.ranks[pattern])
            for name, pattern in _references(tables).items()
            if pattern in known.ranks
        ],
        names=star_names(tables),
        log=True,
    )
    return found, sheet


def _references(tables: Tables) -> dict[str, str]:
    """Their patterns by name; none on a synthetic landscape."""
    if tables.is_synthetic:
        return {}
    named = tables.references.drop_duplicates("name")
    return dict(zip(named["name"].astype(str), named["pattern"].astype(str), strict=True))


def _nothing(tables: Tables, exact: ExactValues, title: str) -> Figure | None:
    """The figure that says why there is none: no run, or runs that the benchmark does not cover."""
    if exact.unknown:
        words = f"true scores of {len(exact.unknown)} patterns are not on record"
        remedy = "the command that made the comparison writes them"
        return nothing_to_show(title, f"{words}, such as {exact.unknown[0]}: {remedy}.")
    return placeholder_figure(tables, title, tables.unit)


def _detail(tables: Tables, known: Benchmark) -> str:
    return (
        f"{band_in_words(tables)}The incumbent is chosen by its noisy search score and judged by "
        f"its true score in {known.proxy}. "
    )
