"""How good the surrogate behind the scores is: held-out patterns, kinds compared, winners.

Left, each test pattern (nothing was fitted to it): what the surrogate says against the mean of two
real trainings; the best tenth is marked, for that is where searchers end. Winners that were trained
for real afterwards stand among them. Right, all kinds of surrogate by nested cross-validation:
Kendall's tau on patterns trained twice, beside the tau that the true means would reach.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nasarena.figures.plots.style import (
    FAINT,
    INK,
    MUTED,
    headline,
    house_style,
    new_figure,
    nothing_to_show,
    shorten,
)
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.benchmark import Kind, SurrogateQuality
from nasarena.figures.results.retrained_winners import Winner

TITLE = "How good the surrogate is"
_TOP_SHARE = 0.1
_PLAIN, _TOP, _WINNER = "#56b4e9", "#0173b2", "#d55e00"


def is_shown(analysis: Analysis) -> bool:
    """Whether a surrogate answered for patterns that were never trained."""
    known = analysis.tables.benchmark
    return known is not None and known.surrogate is not None


def draw(analysis: Analysis) -> Figure:
    """The figure; it says so where there is no surrogate."""
    known, judge = analysis.tables.benchmark, analysis.tables.final_proxy
    if known is None or known.surrogate is None:
        return nothing_to_show(TITLE, "No surrogate stands behind these scores.")
    quality = known.surrogate
    is_same = judge == quality.proxy  # else the axis would mean another score
    trained = [each for each in analysis.winners if each.num_real and is_same]
    with house_style():
        figure = new_figure(9.6, max(4.4, 2.6 + 0.3 * len(quality.kinds)))
        headline(figure, f"{TITLE}: {quality.winner}", _detail(quality))
        left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
        _draw_patterns(left, quality, trained, judge)
        _draw_kinds(right, quality)
    return figure


def is_top(quality: SurrogateQuality) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """The patterns whose measured mean is in the top tenth, as the fit counts them."""
    means = quality.measured.mean(axis=1)
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = means >= np.quantile(means, 1 - _TOP_SHARE)
    return found


def _draw_patterns(
    axes: Axes, quality: SurrogateQuality, trained: Sequence[Winner], judge: str | None
) -> None:
    means, top = quality.measured.mean(axis=1), is_top(quality)
    both = np.concatenate([means, quality.predicted])
    axes.plot([both.min(), both.max()], [both.min(), both.max()], color=MUTED, lw=0.8,
              ls=(0, (4, 2)), zorder=1)  # fmt: skip
    axes.vlines(quality.predicted, quality.measured.min(axis=1), quality.measured.max(axis=1),
                color=FAINT, lw=0.7, zorder=0)  # fmt: skip
    tau = f"tau {quality.tau:.3f}, ceiling {quality.ceiling:.3f}"
    inner = f"tau {quality.tau_top_tenth:.3f}, ceiling {quality.ceiling_top_tenth:.3f}"
    axes.plot(quality.predicted[~top], means[~top], "o", ms=2.8, color=_PLAIN, label=f"all: {tau}")
    axes.plot(quality.predicted[top], means[top], "s", ms=3.4, color=_TOP, mec=INK, mew=0.3,
              label=f"best tenth: {inner}")  # fmt: skip
    if trained:
        axes.plot(
            [each.promised for each in trained], [each.real for each in trained], "D", ms=4.2,
            mfc="white", mec=_WINNER, mew=1.1, label=f"{len(trained)} winners, trained on {judge}",
        )  # fmt: skip
    axes.legend(loc="upper left", fontsize=7)
    axes.set_xlabel("score that the surrogate says")
    axes.set_ylabel("mean of two real trainings (bar: both)\n(higher is better)")
    axes.set_title(f"{len(means)} patterns that nothing was fitted to")


def _draw_kinds(axes: Axes, quality: SurrogateQuality) -> None:
    kinds = sorted(quality.kinds, key=lambda kind: kind.error)
    for row, kind in enumerate(kinds):
        if np.isnan(kind.tau):
            axes.annotate("too few patterns trained twice", (0.02, row), fontsize=7, color=MUTED,
                          xycoords=("axes fraction", "data"), va="center")  # fmt: skip
            continue
        low, high = kind.tau_interval
        color = _TOP if kind.is_winner else MUTED
        axes.plot([low, high], [row, row], color=color, lw=2.0)
        axes.plot(kind.tau, row, "o" if kind.is_winner else "s", ms=6, color=color, mec="white")
        axes.plot(kind.ceiling, row, "|", ms=12, mew=1.4, color=INK)
    axes.set_yticks(range(len(kinds)), [_label(kind) for kind in kinds], fontsize=7.5)
    axes.set_ylim(len(kinds) - 0.5, -0.5)
    axes.set_xlabel("Kendall's tau on patterns trained twice, 95 % interval\n(long mark: ceiling)")
    axes.set_ylabel("kind of surrogate, nested error")
    axes.set_title("Kinds by nested cross-validation, the best first")


def _label(kind: Kind) -> str:
    served = ", served" if kind.is_winner else ""
    return f"{shorten(kind.name, 26)}{served}\n{kind.error:.4f}"


def _detail(quality: SurrogateQuality) -> str:
    return (
        f"Fitted to {quality.num_trainings:,} real trainings on {quality.proxy} of "
        f"{quality.num_trained:,} patterns, {quality.num_repeated:,} of which were trained more "
        f"than once. The ceiling is the tau that the true means would reach against two trainings, "
        f"whose noise is {quality.spread:.4f} (standard deviation). Nested error: root mean square "
        f"against single trainings, noise included."
    )
