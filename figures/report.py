"""The self-contained report: one HTML file, figures inlined, no script, nothing fetched.

Figures are data URLs in `<img>`, so that ids inside one drawing cannot reach another's.
"""

import base64

from jinja2 import Environment, PackageLoader, StrictUndefined

from nasarena.figures.conclusion import Conclusion, Drawing

# A drawing of many curves is larger as SVG than as PNG; above this the PNG is inlined.
_MAX_SVG_BYTES = 200_000


def render(conclusion: Conclusion) -> str:
    """The text of report.html."""
    environment = Environment(
        loader=PackageLoader("nasarena.figures", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("report.html.j2")
    return template.render(
        conclusion=conclusion,
        frames=conclusion.frames,
        standing=conclusion.standings,
        figures=[(drawing.title, _inlined(drawing)) for drawing in conclusion.drawings],
        searchers=conclusion.table[conclusion.table["kind"] == "searcher"].to_dict("records"),
        references=conclusion.table[conclusion.table["kind"] == "reference"].to_dict("records"),
        provenance=_shared_provenance(conclusion),
    )


def _inlined(drawing: Drawing) -> str:
    svg = drawing.svg.read_bytes()
    if len(svg) <= _MAX_SVG_BYTES:
        return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
    return f"data:image/png;base64,{base64.b64encode(drawing.png.read_bytes()).decode()}"


def _shared_provenance(conclusion: Conclusion) -> list[tuple[str, str]]:
    """What the headers of the runs say, one line a key; values that differ are counted."""
    headers = conclusion.frames.provenance
    lines = []
    for key in sorted({key for header in headers for key in header} - {"config_hash"}):
        values = sorted({_readable(header[key]) for header in headers if key in header})
        shown = values[0] if len(values) == 1 else f"{len(values)} different values in these runs"
        lines.append((key, shown))
    return lines


def _readable(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return str(value)
