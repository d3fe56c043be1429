"""Loss against what using a model costs: time to write a token, and memory that a context takes.

A table with a row for each model and context: `label`, `context`, `batch`, `decode_s`,
`memory_bytes` (keys, values and states of all sequences) and `loss` (held out). Lower left is
better; the line joins the models that no other beats in both.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nasarena.figures.plots.style import (
    MUTED,
    EndLabel,
    headline,
    house_style,
    label_ends,
    looks,
    new_figure,
    nothing_to_show,
    plain_log,
    width_for,
)

TITLE = "Held-out loss against the cost of use"
# Column, factor and words of each panel.
_PANELS = (
    ("decode_s", 1e3, "milliseconds to write a token"),
    ("memory_bytes", 1 / 2**20, "MiB of keys, values and states"),
)


def pareto_front(cost: np.ndarray, loss: np.ndarray) -> list[int]:
    """Places of those that no other beats in both, by cost; of equal ones the first."""
    front: list[int] = []
    for place in np.lexsort((loss, cost)).tolist():
        if not front or loss[place] < loss[front[-1]]:
            front.append(place)
    return front


def draw_pareto(rows: pd.DataFrame, device: str) -> Figure:
    """The figure at the longest context; models without a loss are left out, and said so."""
    known = rows[rows["loss"].notna()]
    if known["label"].nunique() < 2:
        return nothing_to_show(TITLE, "Two models with a known held-out loss are needed.")
    longest = known[known["context"] == known["context"].max()].reset_index(drop=True)
    with house_style():
        figure = new_figure(width_for(list(longest["label"]), 7.4) + 1.6, 3.9)
        panels = figure.subplots(1, 2, sharey=True)
        panels[0].set_ylabel("held-out loss, nats a token\n(lower is better)")
        for axes, (column, factor, words) in zip(panels, _PANELS, strict=True):
            _draw_panel(axes, longest[column].to_numpy() * factor, longest)
            axes.set_xlabel(f"{words}\n(lower is better)")
        headline(figure, TITLE, _detail(rows, longest), device)
        figure.draw_without_rendering()
        for axes, (column, factor, _) in zip(panels, _PANELS, strict=True):
            label_ends(figure, axes, _labels(longest[column].to_numpy() * factor, longest))
    return figure


def _draw_panel(axes: Axes, cost: np.ndarray, rows: pd.DataFrame) -> None:
    style, loss = looks(sorted(rows["label"])), rows["loss"].to_numpy()
    axes.grid(True)
    front = pareto_front(cost, loss)
    axes.plot(cost[front], loss[front], color=MUTED, lw=1, linestyle=(0, (4, 2)), zorder=1)
    for label, x, y in zip(rows["label"], cost, loss, strict=True):
        look = style[label]
        axes.plot(x, y, look.marker, color=look.color, ms=8, mec="white", mew=0.8)
    if cost.max() > 5 * cost.min() > 0:
        axes.set_xscale("log")
        axes.set_xlim(cost.min() / 1.5, cost.max() * 1.5)
        plain_log(axes.xaxis)
    else:
        axes.set_xlim(0, cost.max() * 1.15)


def _labels(cost: np.ndarray, rows: pd.DataFrame) -> list[EndLabel]:
    style = looks(sorted(rows["label"]))
    return [
        EndLabel(label, y, style[label].color, x=float(x))
        for label, x, y in zip(rows["label"], cost, rows["loss"], strict=True)
    ]


def _detail(rows: pd.DataFrame, longest: pd.DataFrame) -> str:
    context, batch = int(longest["context"].iloc[0]), int(longest["batch"].iloc[0])
    unknown = rows[rows["loss"].isna()]["label"].nunique()
    left_out = f" {unknown} without a known loss are left out." if unknown else ""
    return (
        f"{batch} {'sequence' if batch == 1 else 'sequences'} after a context of {context:,} "
        f"tokens, whole models timed on this device, medians. The line joins those that no other "
        f"beats in both. Losses of models that saw other text or other tokens do not compare."
        f"{left_out}"
    )
