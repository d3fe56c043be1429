"""Anytime curves: the best search score against what was spent, in steps.

One line per searcher: the interquartile mean over its seeds, with a bootstrap band. Between trials
a run keeps its last best score, nothing is interpolated, and a curve starts only where every seed
has a score. Reference patterns are thin lines at their mean search score over the first seeds,
three at most.
"""

import numpy as np
from matplotlib.figure import Figure

from nasarena.figures.plots.panels import Curve, CurveFigure, Level, draw_curves
from nasarena.figures.plots.style import nothing_to_show
from nasarena.figures.results.tables import METERS, Tables
from nasarena.figures.stats.curves import step_fill
from nasarena.figures.stats.intervals import Floats, band
from nasarena.search.errors import InvalidSetting
from nasarena.search.seeding import stream

_NUM_POINTS = 160


def meter_grid(frames: Tables, meter: str) -> Floats:
    """Where curves are read: at whole trials, or at 160 steps up to the largest reading."""
    most = float(frames.trials[meter_column(frames, meter)].max())
    if meter == "trials":
        return np.arange(1, int(most) + 1, dtype=np.float64)
    return np.linspace(0, most, _NUM_POINTS)


def meter_column(frames: Tables, meter: str) -> str:
    """On the budget's own meter it is the ledger that counts, charged language models included."""
    return "spent" if meter == frames.unit else meter


def best_by_seed(frames: Tables, meter: str, grid: Floats) -> dict[str, Floats]:
    """Best score so far at each grid point, `(num_seeds, num_points)` for each searcher."""
    column = meter_column(frames, meter)
    return {
        name: np.array(
            [
                step_fill(run[column].to_numpy(), run["best_so_far"].to_numpy(), grid)
                for _, run in frames.trials[frames.trials["searcher"] == name].groupby("seed")
            ]
        )
        for name in frames.searchers
    }


def curves(frames: Tables, meter: str) -> dict[str, Curve]:
    """A curve for each searcher, all on one grid."""
    grid = meter_grid(frames, meter)
    return {
        name: Curve(grid, *band(best, stream(0, "bootstrap", name, "curve", meter)))
        for name, best in best_by_seed(frames, meter, grid).items()
    }


def reference_scores(frames: Tables, column: str = "score") -> dict[str, float]:
    """Mean over the paired seeds of each reference pattern that was scored on all of them."""
    scores = frames.references.pivot_table(index="name", columns="seed", values=column)
    complete = scores.dropna().mean(axis=1).sort_values(ascending=False)
    return {str(name): float(score) for name, score in complete.items()}


def meter_label(frames: Tables, meter: str) -> str:
    """The label of an axis that counts `meter`."""
    charged = meter == frames.unit and frames.condition["budget"].get("charge_llm")
    return METERS[meter].label + (", language model included" if charged else "")


def star_names(frames: Tables) -> dict[str, str]:
    """Names with a star where a searcher knows the budget."""
    aware = frames.runs.groupby("searcher")["budget_aware"].any()
    return {name: name + ("*" if aware[name] else "") for name in frames.searchers}


def band_in_words(frames: Tables) -> str:
    """What the lines and bands are, for the small print."""
    if len(frames.seeds) == 1:
        return "One seed: no band, and no conclusion about searchers. "
    return f"Interquartile mean over {frames.seeds_in_words} with 95 % bootstrap band. "


def aware_in_words(frames: Tables) -> str:
    """The star explained, where there is one."""
    if not frames.runs["budget_aware"].any():
        return ""
    return "* knows the budget: its curve holds for this budget alone. "


def placeholder_figure(frames: Tables, title: str, meter: str) -> Figure | None:
    """The figure that says why there is none, or None where there is something to draw."""
    if frames.runs.empty:
        return nothing_to_show(title, "No finished run with a score: there is nothing to draw.")
    if frames.trials[meter].max() <= 0:
        return nothing_to_show(title, f"Nothing was counted: {METERS[meter].label}.")
    return None


def draw(frames: Tables, meter: str | None = None) -> Figure:
    """The figure, against the budget's own unit unless `meter` names another of `METERS`."""
    meter = meter or frames.unit
    if meter not in METERS:
        raise InvalidSetting(f"meter must be one of {', '.join(METERS)}, got {meter!r}")
    title = "Best score found so far"
    empty = placeholder_figure(frames, title, meter)
    if empty is not None:
        return empty
    sheet = CurveFigure(
        title=title,
        detail=band_in_words(frames) + aware_in_words(frames),
        x_label=meter_label(frames, meter),
        y_label="best search score so far\n(higher is better)",
        panel_label="best search score",
        levels=[Level(name, score) for name, score in reference_scores(frames).items()],
        names=star_names(frames),
    )
    return draw_curves(curves(frames, meter), sheet)
