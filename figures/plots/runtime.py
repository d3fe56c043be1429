"""How soon scores are reached: runtime distribution over frozen targets, expected running time.

Targets are regrets between the frozen anchors, from twice random search's down to the best known
in 40 equal steps, so they never depend on the searchers at hand. A curve at 0.6 says that 60 % of
all (seed, target) pairs were reached by then; to its right the budget was spent in vain. On a
benchmark a target is reached once the best pattern so far truly has that score (`exact.py`): what
a run saw carries noise, and its best may lie above the optimum.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from nasarena.figures.plots.anytime import (
    aware_in_words,
    meter_column,
    meter_grid,
    meter_label,
    placeholder_figure,
    star_names,
)
from nasarena.figures.plots.panels import Curve, CurveFigure, draw_curves
from nasarena.figures.plots.style import nothing_to_show
from nasarena.figures.results.anchors import Anchors, Scale
from nasarena.figures.results.incumbents import worth_so_far
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.curves import area_under_steps
from nasarena.figures.stats.intervals import Floats, widen_limits
from nasarena.figures.stats.runtime import (
    RunningTime,
    expected_running_time,
    first_hits,
    runtime_ecdf,
)
from nasarena.search.seeding import stream

# Normalized regrets: 1 is random search with the whole budget, 0 the best known.
TARGETS = np.arange(40, 0, -1) / 20
_NUM_REPEATS = 1_000


def target_scores(scale: Scale, regrets: Floats = TARGETS) -> Floats | None:
    """Search scores of these normalized regrets; None where random search gives no unit."""
    if scale.random is None or scale.random >= scale.best:
        return None
    return scale.best - regrets * (scale.best - scale.random)


def hits_by_seed(frames: Tables, targets: Floats) -> dict[str, Floats]:
    """Budget at which each target was first reached, `(num_seeds, num_targets)`; inf: never."""
    column, trials = meter_column(frames, frames.unit), frames.trials
    highest = trials.assign(worth=worth_so_far(frames)).groupby(["searcher", "seed"])["worth"]
    trials = trials.assign(highest=highest.cummax())
    return {
        name: np.array(
            [
                first_hits(run[column].to_numpy(), run["highest"].ffill().to_numpy(), targets)
                for _, run in trials[trials["searcher"] == name].groupby("seed")
            ]
        )
        for name in frames.searchers
    }


def running_times(
    frames: Tables, anchors: Anchors | None, regret: float = 1.0
) -> Mapping[str, RunningTime]:
    """Expected budget until a normalized regret, by searcher; empty without a unit."""
    targets = target_scores(anchors.search, np.array([regret])) if anchors else None
    if targets is None:
        return {}
    spent = frames.by_seed("spent")
    return {
        name: expected_running_time(hits[:, 0], spent[name])
        for name, hits in hits_by_seed(frames, targets).items()
    }


def areas(frames: Tables, anchors: Anchors | None) -> Mapping[str, list[float]]:
    """Mean normalized regret over the budget, by searcher and seed; empty without a unit.

    From where the initial design ended, the first reading at which every run has a score, to the
    whole budget, on a linear scale.
    """
    if anchors is None or target_scores(anchors.search) is None:
        return {}
    column, end = meter_column(frames, frames.unit), float(frames.condition["budget"]["amount"])
    scored = frames.trials.assign(worth=worth_so_far(frames)).dropna(subset="worth")
    start = float(scored.groupby(["searcher", "seed"])[column].min().max())
    if not start < end:
        return {}
    return {
        name: [
            area_under_steps(run[column], anchors.search.normalize(run["worth"]), start, end)
            for _, run in scored[scored["searcher"] == name].groupby("seed")
        ]
        for name in frames.searchers
    }


def ecdf_curves(frames: Tables, targets: Floats) -> dict[str, Curve]:
    """Share of (seed, target) pairs reached, with bootstrap limits over the seeds."""
    grid = meter_grid(frames, frames.unit)
    return {
        name: _curve(hits, grid, stream(0, "bootstrap", name, "runtime"))
        for name, hits in hits_by_seed(frames, targets).items()
    }


def _curve(hits: Floats, grid: Floats, rng: np.random.Generator) -> Curve:
    by_seed = np.array([runtime_ecdf(run, grid) for run in hits])
    middle = by_seed.mean(axis=0)
    if len(by_seed) < 2:
        return Curve(grid, middle, np.full_like(middle, np.nan), np.full_like(middle, np.nan))
    drawn = rng.integers(len(by_seed), size=(_NUM_REPEATS, len(by_seed)))
    low, high = widen_limits(by_seed[drawn].mean(axis=1), middle, len(by_seed))
    return Curve(grid, middle, np.clip(low, 0, 1), np.clip(high, 0, 1))


def draw(frames: Tables, anchors: Anchors | None) -> Figure:
    """The figure, against the budget's own unit."""
    title = "How soon scores are reached"
    empty = placeholder_figure(frames, title, frames.unit)
    if empty is not None:
        return empty
    targets = target_scores(anchors.search) if anchors else None
    if targets is None:
        return nothing_to_show(
            title, "Targets are measured from random search, which did not take part."
        )
    sheet = CurveFigure(
        title=title,
        detail=f"{len(targets)} frozen targets between twice random search's regret and the best "
        f"known, {frames.seeds_in_words}, 95 % bootstrap band. {aware_in_words(frames)}"
        f"{_times_in_words(frames, running_times(frames, anchors))}",
        x_label=meter_label(frames, frames.unit),
        y_label="share of (seed, target) pairs reached\n(higher is better)",
        panel_label="share reached",
        names=star_names(frames),
        full_range=True,
    )
    return draw_curves(ecdf_curves(frames, targets), sheet)


def _times_in_words(frames: Tables, times: Mapping[str, RunningTime]) -> str:
    """Expected running times to what random search reaches with the whole budget."""
    budget = float(frames.condition["budget"]["amount"])
    words = [
        f"{name} {time.expected / budget:.2f} ({time.num_successes} of {time.num_runs})"
        if time.num_successes
        else f"{name} more than {time.at_least / budget:.1f} (none of {time.num_runs})"
        for name, time in times.items()
    ]
    return (
        f"Expected budgets, with restarts, until the score that half of random search's runs "
        f"reach with one (in brackets: runs that reached it): {', '.join(words)}. "
    )
