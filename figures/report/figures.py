"""Figures inside the report: each as compressed SVG, or as PNG where that is smaller.

A drawing of many curves is larger as SVG than as PNG. All figures together stay below a limit;
those that no longer fit are named, with the file where they are.
"""

import base64
import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass

from nasarena.figures.report.conclusion import Drawing

_MAX_CHARACTERS = 2_400_000  # of the report's five megabytes
_MAX_SVG_BYTES = 300_000  # of the one that is shown without a script


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure in the page: `kind` is svg (gzip, base64), png (base64), or absent.

    `width` and `height` are pixels: the page leaves the right room before it unpacks.
    """

    title: str
    file: str
    kind: str
    content: str
    width: int
    height: int


def pack_figures(drawings: Sequence[Drawing]) -> list[Figure]:
    """All figures in their order, as small as they get."""
    figures, room = [], _MAX_CHARACTERS
    for drawing in drawings:
        kind, content = min(_svg(drawing), _png(drawing), key=lambda packed: len(packed[1]))
        if len(content) > room:
            kind, content = "absent", ""
        room -= len(content)
        file = f"figures/{drawing.svg.name}"
        figures.append(Figure(drawing.title, file, kind, content, *_size(drawing)))
    return figures


def data_url(drawing: Drawing) -> str:
    """A figure that shows without any script."""
    svg = drawing.svg.read_bytes()
    if len(svg) <= _MAX_SVG_BYTES:
        return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
    return f"data:image/png;base64,{_png(drawing)[1]}"


def _size(drawing: Drawing) -> tuple[int, int]:
    """Width and height in pixels of 1/96 inch; the head of the SVG has them in points."""
    head = drawing.svg.read_text(encoding="utf-8")[:2000]
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head)
    width, height = (float(found[1]), float(found[2])) if found else (600.0, 400.0)
    return round(width * 96 / 72), round(height * 96 / 72)


def _svg(drawing: Drawing) -> tuple[str, str]:
    packed = gzip.compress(drawing.svg.read_bytes(), 9, mtime=0)
    return "svg", base64.b64encode(packed).decode()


def _png(drawing: Drawing) -> tuple[str, str]:
    return "png", base64.b64encode(drawing.png.read_bytes()).decode()
