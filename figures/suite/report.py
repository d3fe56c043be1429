"""table.csv, report.md, report.html and the figures of a comparison over several landscapes.

Read from the folders of its comparisons alone; drawn again by the same command they are the same
bytes. A landscape's own table and report lie in its folder.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from nasarena.figures.plots.figure_files import Source, save_figure
from nasarena.figures.report.conclusion import Drawing
from nasarena.figures.report.figures import data_url
from nasarena.figures.report.markdown import escape
from nasarena.figures.report.render import environment_of, policy_hash, read_page
from nasarena.figures.suite import anytime_figure, landscape_figure, ranking_figure
from nasarena.figures.suite.landscape_figure import arrow
from nasarena.figures.suite.results import SuiteResults
from nasarena.figures.suite.table import ALL, suite_table
from nasarena.figures.suite.verdict import NUM_LEADING, verdict
from nasarena.search.errors import NasArenaError
from nasarena.search.untrusted.drafts import make_subfolder, replace_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Name, title and how it is drawn.
FIGURES: tuple[tuple[str, str, Callable[[SuiteResults], "Figure"]], ...] = (
    ("ranking", ranking_figure.TITLE, ranking_figure.draw),
    ("landscapes", landscape_figure.TITLE, landscape_figure.draw),
    ("anytime", anytime_figure.TITLE, anytime_figure.draw),
)


@dataclass(frozen=True, slots=True)
class SuiteConclusion:
    """The verdict in sentences, the table, and the figures in the order they are shown."""

    results: SuiteResults
    verdict: list[str]
    table: pd.DataFrame
    drawings: list[Drawing]
    source: Source


def write_suite(
    folder: Path, results: SuiteResults, command: str, draws: bool = True
) -> SuiteConclusion:
    """Write all of it into `folder`; without `draws` there are the table and report.md alone.

    Raises NasArenaError where the folder cannot be written.
    """
    source = Source(command, data_hash(results))
    try:
        if draws:
            make_subfolder(folder, "figures")
        drawings = draw_into(results, folder / "figures", source) if draws else []
        conclusion = SuiteConclusion(
            results, verdict(results), suite_table(results), drawings, source
        )
        table = conclusion.table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        replace_text(folder / "table.csv", table)
        replace_text(folder / "report.md", markdown(conclusion))
        if draws:
            replace_text(folder / "report.html", render(conclusion))
    except OSError as error:
        raise NasArenaError(f"cannot write into {folder}: {error.strerror}") from error
    return conclusion


def data_hash(results: SuiteResults) -> str:
    """Hash of everything that was read."""
    hashes = [each.analysis.tables.data_hash for each in results.landscapes]
    return hashlib.sha256(" ".join(hashes).encode()).hexdigest()[:16]


def draw_into(results: SuiteResults, folder: Path, source: Source) -> list[Drawing]:
    """Save the figures into `folder`, which must exist."""
    return [
        Drawing(title, *save_figure(draw(results), folder / name, title, source))
        for name, title, draw in FIGURES
    ]


def markdown(conclusion: SuiteConclusion) -> str:
    """The report as text."""
    results = conclusion.results
    first, *rest = conclusion.verdict
    lines = [f"# Comparison {escape(results.name)}", "", f"**{escape(first)}**", ""]
    lines += [f"- {escape(sentence)}" for sentence in rest]
    lines += ["", "| rank | searcher | normalized regret | 95 % |", "|---|---|---|---|"]
    for place in results.places:
        regret = place.regret
        lines.append(
            f"| {place.rank} | {escape(place.searcher)} | {regret.estimate:.3f} "
            f"| {regret.low:.3f} to {regret.high:.3f} |"
        )
    names = [each.name for each in results.landscapes]
    lines += ["", f"| searcher | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    lines += [f"| {escape(name)} | {' | '.join(cells)} |" for name, cells in cells_of(results)]
    lines += ["", *(f"![{each.title}](figures/{each.png.name})" for each in conclusion.drawings)]
    lines += [
        "",
        f"Command: `{conclusion.source.command}`  ",
        f"Data: {conclusion.source.data_hash}",
    ]
    return "\n".join(lines) + "\n"


def cells_of(results: SuiteResults) -> list[tuple[str, list[str]]]:
    """Mean normalized regret by landscape, with an arrow where it differs from random search."""
    found = []
    for place in results.places:
        name, means = place.searcher, results.regrets[place.searcher].mean(axis=0)
        cells = [
            f"{mean:.3f}{arrow(against.get(name))}"
            for mean, against in zip(means, results.against_random, strict=True)
        ]
        found.append((name, cells))
    return found


def render(conclusion: SuiteConclusion) -> str:
    """The text of report.html: one file, no script, opened without a network."""
    results, table = conclusion.results, conclusion.table
    style = read_page("report.css")
    return (
        environment_of("nasarena.figures.suite")
        .get_template("suite.html.jinja")
        .render(
            results=results,
            verdict=conclusion.verdict,
            leading=NUM_LEADING,
            rows=table[table["landscape"] == ALL].to_dict("records"),
            by_landscape=cells_of(results),
            figures=_embed(conclusion.drawings),
            source=conclusion.source,
            style=style,
            style_hash=policy_hash(style),
        )
    )


def _embed(drawings: Sequence[Drawing]) -> list[dict[str, str]]:
    return [{"title": each.title, "url": data_url(each)} for each in drawings]
