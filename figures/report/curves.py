"""The curves of a comparison as data, for the page that draws them with values and switches."""

import base64
import gzip
import json
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from nasarena.figures.plots.gallery import gallery
from nasarena.figures.plots.panels import CurveFigure
from nasarena.figures.plots.style import Look, looks
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.stats.curves import Curve
from nasarena.figures.stats.intervals import Floats


def pack_curves(analysis: Analysis, names: Collection[str]) -> str:
    """The figures of these names that are made of curves: base64 of gzip of JSON, or empty."""
    style = looks(analysis.tables.searchers)
    found = []
    for spec in gallery(analysis):
        data = spec.prepare(analysis) if spec.prepare and spec.name in names else None
        if data is not None and not isinstance(data, Figure):
            found.append(_describe(*data, style))
    if not found:
        return ""
    text = json.dumps(found, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def _describe(
    curves: Mapping[str, Curve], sheet: CurveFigure, style: Mapping[str, Look]
) -> dict[str, Any]:
    names = sheet.names or {}
    levels = [*sheet.levels, *([sheet.floor] if sheet.floor else [])]
    return {
        "title": sheet.title,
        "detail": sheet.detail,
        "x": sheet.x_label,
        "y": " ".join(sheet.y_label.split()),
        "log": sheet.log,
        "logX": sheet.log_x,
        "upsideDown": sheet.upside_down,
        "levels": [[level.name, _number(level.y), level.is_limit] for level in levels],
        "grid": _numbers(next(iter(curves.values())).grid),
        "lines": [
            {
                "name": names.get(name, name),
                "color": style[name].color,
                "dash": [] if style[name].dash == "solid" else list(style[name].dash[1]),
                "middle": _numbers(curve.middle),
                "low": _numbers(curve.low),
                "high": _numbers(curve.high),
            }
            for name, curve in curves.items()
        ],
    }


def _numbers(values: Floats) -> list[float | None]:
    return [_number(value) for value in values.tolist()]


def _number(value: float) -> float | None:
    return float(f"{value:.5g}") if np.isfinite(value) else None
