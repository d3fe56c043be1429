"""report.html of losses at scale: one file, no script, opened without a network."""

from collections.abc import Mapping, Sequence

from nasarena.figures.report.conclusion import Drawing
from nasarena.figures.report.figures import data_url
from nasarena.figures.report.render import environment_of, policy_hash, read_page
from nasarena.figures.results.scaling import ScalingTable
from nasarena.figures.scaling.blocks import Section


def render(
    table: ScalingTable,
    headline: str,
    sections: Sequence[Section],
    drawings: Mapping[str, Drawing],
) -> str:
    """The text of the page; `drawings` by the names that sections have."""
    style, rows = read_page("report.css"), table.rows
    under = (
        f"{len(table.labels)} architectures, {rows['size'].nunique()} sizes, "
        f"{rows['seed'].nunique()} seeds: {len(rows)} trained models"
    )
    return (
        environment_of("nasarena.figures.scaling")
        .get_template("scaling.html.jinja")
        .render(
            name=table.name,
            under=under,
            headline=headline,
            sections=sections,
            figures={
                name: {"title": each.title, "url": data_url(each)}
                for name, each in drawings.items()
            },
            style=style,
            style_hash=policy_hash(style),
        )
    )
