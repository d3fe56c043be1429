"""Figures as files: PNG, SVG and PDF with the same bytes every time, and where they come from.

The command and the hash of the data stand in the metadata (PNG text chunks, Dublin Core in SVG, the
PDF's document information); dates and random ids do not, so that a figure drawn again from the same
runs is the same file.
"""

from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from nasarena.search.untrusted.drafts import draft_of

SUFFIXES = (".png", ".svg", ".pdf")


@dataclass(frozen=True, slots=True)
class Source:
    """What a figure was made from: the command that drew it and the hash of the runs."""

    command: str
    data_hash: str


def paths_of(stem: Path) -> list[Path]:
    """The files of a saved figure."""
    return [stem.with_suffix(suffix) for suffix in SUFFIXES]


def save_figure(figure: Figure, stem: Path, title: str, source: Source) -> list[Path]:
    """Write `stem` as PNG, SVG and PDF and return the paths; the folder must exist."""
    # Ticks are written when a figure is saved, with the sign that holds then.
    with matplotlib.rc_context({"axes.unicode_minus": False}):
        return _save(figure, stem, title, source)


def _save(figure: Figure, stem: Path, title: str, source: Source) -> list[Path]:
    png, svg, pdf = paths_of(stem)
    data = f"data {source.data_hash}"
    from_runs = {"Title": title, "Source": source.command, "Identifier": data}
    with draft_of(png) as draft:
        figure.savefig(draft, format="png", dpi=150, metadata={**from_runs, "Software": "nasarena"})
    figure.set_layout_engine("none")  # keeps the layout as the PNG has it
    # Ids of clip paths are hashes with this salt, else with a random one.
    with (
        matplotlib.rc_context({"svg.hashsalt": "nasarena", "svg.fonttype": "path"}),
        draft_of(svg) as draft,
    ):
        figure.savefig(
            draft,
            format="svg",
            metadata={**from_runs, "Creator": "nasarena", "Date": None},
        )
    # Outlines as in the SVG would be large; embedded fonts keep the text searchable.
    with matplotlib.rc_context({"pdf.fonttype": 42}), draft_of(pdf) as draft:
        figure.savefig(
            draft,
            format="pdf",
            metadata={
                "Title": title,
                "Subject": source.command,
                "Keywords": data,
                "Creator": "nasarena",
                "CreationDate": None,
            },
        )
    return [png, svg, pdf]
