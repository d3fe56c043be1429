"""Anytime curves: the best search score against what was spent, in steps.

One line per searcher: the interquartile mean over its seeds, with a bootstrap band. Between trials
a run keeps its last best score, nothing is interpolated, and a curve starts only where every seed
has a score. Reference patterns are thin lines at their mean search score over the first seeds,
three at most.
"""

import numpy as np
from matplotlib.figure import Figure

from nasarena.figures.plots.panels import CurveData, CurveFigure, Level, draw_data
from nasarena.figures.plots.style import nothing_to_show
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.rows import METERS
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.curves import Curve, step_fill
from nasarena.figures.stats.intervals import Floats, band
from nasarena.search.errors import InvalidSetting
from nasarena.search.seeding import stream

_NUM_POINTS = 160
LOG_METERS = ("measured_seconds",)  # searchers differ by orders of magnitude


def meter_grid(tables: Tables, meter: str) -> Floats:
    """Where curves are read: at whole trials, or at 160 steps up to the largest reading.

    The steps are equal, or equal factors for `LOG_METERS`.
    """
    readings = tables.trials[tables.meter_column(meter)]
    most = float(readings.max())
    if meter == "trials":
        return np.arange(1, int(most) + 1, dtype=np.float64)
    if meter in LOG_METERS:
        return np.geomspace(max(float(readings.min()), most / 1e5), most, _NUM_POINTS)
    return np.linspace(0, most, _NUM_POINTS)


def best_by_seed(tables: Tables, meter: str, grid: Floats) -> dict[str, Floats]:
    """Best score so far at each grid point, `(num_seeds, num_points)` for each searcher."""
    column = tables.meter_column(meter)
    return {
        name: np.array(
            [
                step_fill(run[column].to_numpy(), run["best_so_far"].to_numpy(), grid)
                for run in tables.trials_by_seed(name)
            ]
        )
        for name in tables.searchers
    }


def curves(tables: Tables, meter: str) -> dict[str, Curve]:
    """A curve for each searcher, all on one grid."""
    grid = meter_grid(tables, meter)
    found = {
        name: Curve(grid, *band(best, stream(0, "bootstrap", name, "curve", meter)))
        for name, best in best_by_seed(tables, meter, grid).items()
    }
    if meter not in LOG_METERS:
        return found
    ends = tables.trials.groupby("searcher")[tables.meter_column(meter)].max()
    return {name: _cut(curve, float(ends[name])) for name, curve in found.items()}


def _cut(curve: Curve, end: float) -> Curve:
    """The curve without what lies beyond `end`, where the searcher's slowest run was over."""
    kept = np.where(curve.grid <= end * (1 + 1e-9), 1.0, np.nan)
    return Curve(curve.grid, curve.middle * kept, curve.low * kept, curve.high * kept)


def meter_label(tables: Tables, meter: str) -> str:
    """The label of an axis that counts `meter`."""
    charged = meter == tables.unit and tables.condition["budget"].get("charge_llm")
    return METERS[meter].label + (", language model included" if charged else "")


def star_names(tables: Tables) -> dict[str, str]:
    """Names with a star where a searcher knows the budget."""
    aware = tables.runs.groupby("searcher")["budget_aware"].any()
    return {name: name + ("*" if aware[name] else "") for name in tables.searchers}


def band_in_words(tables: Tables) -> str:
    """What the lines and bands are, for the small print."""
    if len(tables.seeds) == 1:
        return "One seed: no band, and no conclusion about searchers. "
    return f"Interquartile mean over {tables.seeds_in_words} with 95 % bootstrap band. "


def aware_in_words(tables: Tables) -> str:
    """The star explained, where there is one."""
    if not tables.runs["budget_aware"].any():
        return ""
    return "* knows the budget: its curve holds for this budget alone. "


def placeholder_figure(tables: Tables, title: str, meter: str) -> Figure | None:
    """The figure that says why there is none, or None where there is something to draw."""
    if tables.runs.empty:
        return nothing_to_show(title, "No finished run with a score: there is nothing to draw.")
    if tables.trials[meter].max() <= 0:
        return nothing_to_show(title, f"Nothing was counted: {METERS[meter].label}.")
    return None


def draw(analysis: Analysis) -> Figure:
    """The figure, against the budget's own unit."""
    return draw_against(analysis.tables.unit, analysis)


def was_counted(meter: str, analysis: Analysis) -> bool:
    """Whether `meter` is not the budget's own and has counted anything."""
    tables = analysis.tables
    return meter != tables.unit and bool(tables.trials[meter].sum() > 0)


def draw_against(meter: str, analysis: Analysis) -> Figure:
    """The figure against another of `METERS`."""
    return draw_data(prepare_against(meter, analysis))


def prepare(analysis: Analysis) -> CurveData:
    """The curves against the budget's own unit."""
    return prepare_against(analysis.tables.unit, analysis)


def prepare_against(meter: str, analysis: Analysis) -> CurveData:
    """The curves against any of `METERS`."""
    tables = analysis.tables
    if meter not in METERS:
        raise InvalidSetting(f"meter must be one of {', '.join(METERS)}, got {meter!r}")
    title = f"Best search score so far, against {METERS[meter].label}"
    empty = placeholder_figure(tables, title, meter)
    if empty is not None:
        return empty
    sheet = CurveFigure(
        title=title,
        detail=band_in_words(tables) + _optimum_in_words(tables) + aware_in_words(tables),
        x_label=meter_label(tables, meter),
        y_label=f"best search score so far{tables.unit_in_brackets}\n(higher is better)",
        panel_label=f"best search score{tables.unit_in_brackets}",
        ground=tables.ground,
        levels=[*_optimum(tables), *_references(tables)],
        names=star_names(tables),
        log_x=meter in LOG_METERS,
    )
    return curves(tables, meter), sheet


def _optimum(tables: Tables) -> list[Level]:
    """The true optimum where a benchmark knows it: search scores above it are luck."""
    known = tables.benchmark
    return [] if known is None else [Level("true optimum", known.best, is_limit=True)]


def _references(tables: Tables) -> list[Level]:
    """Reference patterns at their mean search score."""
    return [Level(name, score) for name, score in tables.reference_scores().items()]


def _optimum_in_words(tables: Tables) -> str:
    if tables.benchmark is None:
        return ""
    return "The search score is noisy: what lies above the true optimum is luck. "
