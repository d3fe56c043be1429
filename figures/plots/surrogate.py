"""How good the surrogate behind the scores is: held-out patterns, kinds compared, winners.

Left, each test pattern (no surrogate was fitted to it): the surrogate's score against the mean of
two real trainings. Uniform patterns and those of the slice of two letters are judged apart; of the
uniform ones the best tenth is marked, for that is where searchers end. Winners that were trained
for real afterwards stand among them. Right, all kinds of surrogate by nested cross-validation:
their error against single trainings, beside the noise of those trainings.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

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
        headline(figure, f"{TITLE}: {quality.winner}", _detail(quality), analysis.tables.ground)
        left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
        _draw_patterns(left, quality, trained, judge)
        _draw_kinds(right, quality)
    return figure


def is_top(quality: SurrogateQuality) -> NDArray[np.bool_]:
    """The uniform patterns whose measured mean is in the top tenth of them, as the fit counts."""
    means, uniform = quality.measured.mean(axis=1), quality.is_uniform
    lowest = np.quantile(means[uniform], 1 - _TOP_SHARE)
    return np.asarray(uniform & (means >= lowest))


def _draw_patterns(
    axes: Axes, quality: SurrogateQuality, trained: Sequence[Winner], judge: str | None
) -> None:
    means, top, uniform = quality.measured.mean(axis=1), is_top(quality), quality.is_uniform
    both = np.concatenate([means, quality.predicted])
    axes.plot([both.min(), both.max()], [both.min(), both.max()], color=MUTED, lw=0.8,
              ls=(0, (4, 2)), zorder=1)  # fmt: skip
    axes.vlines(quality.predicted, quality.measured.min(axis=1), quality.measured.max(axis=1),
                color=FAINT, lw=0.7, zorder=0)  # fmt: skip
    tau = f"tau {quality.tau:.3f}, ceiling {quality.ceiling:.3f}"
    inner = f"tau {quality.tau_top_tenth:.3f}, ceiling {quality.ceiling_top_tenth:.3f}"
    if not uniform.all():
        of_slice = f"tau {quality.tau_slice:.3f}, ceiling {quality.ceiling_slice:.3f}"
        axes.plot(quality.predicted[~uniform], means[~uniform], "^", ms=2.8, mfc="none", mew=0.6,
                  color=MUTED, label=f"{_letters(quality.slice)} alone: {of_slice}")  # fmt: skip
    rest = uniform & ~top
    axes.plot(quality.predicted[rest], means[rest], "o", ms=2.8, color=_PLAIN,
              label=f"uniform: {tau}")  # fmt: skip
    axes.plot(quality.predicted[top], means[top], "s", ms=3.4, color=_TOP, mec=INK, mew=0.3,
              label=f"best tenth of them: {inner}")  # fmt: skip
    if trained:
        axes.plot(
            [each.promised for each in trained], [each.real for each in trained], "D", ms=4.2,
            mfc="white", mec=_WINNER, mew=1.1, label=f"{len(trained)} winners, trained on {judge}",
        )  # fmt: skip
    axes.legend(loc="upper left", fontsize=7)
    axes.set_xlabel("score that the surrogate says (nats)")
    axes.set_ylabel("mean of two real trainings (nats; bar: both)\n(higher is better)")
    axes.set_title(f"{len(means)} test patterns")


def _draw_kinds(axes: Axes, quality: SurrogateQuality) -> None:
    """Error of each kind; the folds show how far such a difference is chance."""
    kinds = sorted(quality.kinds, key=lambda kind: kind.error)
    for row, kind in enumerate(kinds):
        color = _TOP if kind.is_winner else MUTED
        axes.plot(kind.fold_errors, [row] * len(kind.fold_errors), "|", ms=7, color=color)
        axes.plot(kind.error, row, "o" if kind.is_winner else "s", ms=6, color=color, mec="white")
    if not np.isnan(quality.fitted_spread):
        axes.axvline(quality.fitted_spread, color=INK, lw=0.9, ls=(0, (4, 2)),
                     label="noise of these trainings")  # fmt: skip
        axes.legend(loc="lower left", fontsize=7)
    axes.set_yticks(range(len(kinds)), [_label(kind) for kind in kinds], fontsize=7.5)
    axes.set_ylim(len(kinds) - 0.5, -0.5)
    axes.set_xlabel("nested error against single trainings\n(marks: outer folds; lower is better)")
    axes.set_ylabel("kind of surrogate")
    axes.set_title("Kinds by nested cross-validation, the best first")


def _letters(letters: str) -> str:
    """`A and M` for AM."""
    return " and ".join(letters)


def _label(kind: Kind) -> str:
    served = ", served" if kind.is_winner else ""
    return f"{shorten(kind.name, 26)}{served}\n{kind.error:.4f}"


def _detail(quality: SurrogateQuality) -> str:
    return (
        f"Fitted to {quality.num_trainings:,} real trainings on {quality.proxy} of "
        f"{quality.num_trained:,} patterns, {quality.num_repeated:,} of which were trained more "
        f"than once; none was fitted to test patterns. The ceiling is the tau that the true "
        f"means would reach against two trainings, whose noise is {quality.spread:.4f} (standard "
        f"deviation). Nested error: root mean square, noise included."
    )
