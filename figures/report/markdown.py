"""report.md: the conclusion as text, with its numbers, its fairness list and its provenance."""

import re
from collections.abc import Sequence

from nasarena.figures.report.conclusion import Conclusion
from nasarena.figures.report.fairness import Point
from nasarena.figures.report.verdict import num_leading
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.known_improvement import IN_WORDS
from nasarena.figures.results.paired_controls import SEEDED, PairedControl, in_words
from nasarena.figures.results.run_selection import ExcludedRun
from nasarena.figures.results.standings import Standings
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.multiple import Comparison
from nasarena.search.run_config import BASELINE
from nasarena.search.untrusted.one_line import one_line

# What begins markup or HTML within a line. An underscore inside a word begins nothing.
_MARKUP = re.compile(r"([\\`*\[\]<>|#])")


def markdown(conclusion: Conclusion) -> str:
    """The report as text: verdict, table, figures, fairness list, excluded runs, provenance."""
    analysis, source = conclusion.analysis, conclusion.source
    tables = analysis.tables
    first, *others = conclusion.verdict
    shown = num_leading(analysis) - 1
    leading, rest = others[:shown], others[shown:]
    figures = [f"![{each.title}](figures/{each.png.name})" for each in conclusion.drawings]
    lines = [
        *[f"# Comparison {escape(tables.name)}", "", f"**{escape(first)}**", ""],
        *[*map(escape, leading), ""],
        *_places(analysis),
        *_known_shares(analysis),
        *_references(tables),
        *(
            ["## What the verdict rests on", "", *(f"- {escape(each)}" for each in rest), ""]
            if rest
            else []
        ),
        *[*figures, ""],
        *_fairness(conclusion.fairness),
        *_controls("permuted letters", analysis.letter_controls),
        *_controls("seeded", analysis.seeded_controls, SEEDED),
        *_head_starts(analysis.agents_against_seeded),
        *_apart(tables.excluded),
        *[
            "## Provenance",
            "",
            f"Command: `{one_line(source.command)}`  ",
            f"Data: {source.data_hash}",
            "",
        ],
    ]
    return "\n".join(lines)


def escape(text: str) -> str:
    """Text of a run on one line that stays text, whatever it says."""
    return _MARKUP.sub(r"\\\1", one_line(text))


def table_lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table of cells that are fit for it as they are."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _places(analysis: Analysis) -> list[str]:
    standing = analysis.standings
    if not standing.places:
        return []
    kind = "final score" if standing.is_final else "search score"
    return [
        f"| rank | searcher | {kind} | search score | gap | vs random | p (Holm) |",
        "|---|---|---|---|---|---|---|",
        *(_place(standing, number) for number in range(len(standing.places))),
        "",
        f"Interquartile means over {analysis.tables.seeds_in_words}"
        + (" with 95 % intervals; " if standing.num_seeds > 1 else "; ")
        + f"the gap is the search score less the {kind} of the same patterns (winner's curse).",
        "",
    ]


def _place(standing: Standings, number: int) -> str:
    place = standing.places[number]
    name = escape(place.searcher)
    cells = [str(place.rank), name, str(place.score), str(place.search), str(place.gap)]
    if BASELINE in standing.against and place.searcher != BASELINE:
        pair = standing.to_baseline(place.searcher)
        cells += [str(pair.difference), f"{pair.p_holm:.2g}"]
    else:
        cells += ["", ""]
    return f"| {' | '.join(cells)} |"


def _known_shares(analysis: Analysis) -> list[str]:
    shares = analysis.known_shares
    if not shares:
        return []
    rows = [f"| {escape(name)} | {share} |" for name, share in shares.items()]
    head = ["| searcher | share of the known improvement |", "|---|---|"]
    return ["## Share of the known improvement", "", *head, *rows, "", IN_WORDS, ""]


def _references(tables: Tables) -> list[str]:
    if tables.references.empty:
        return []
    rows = [
        f"| {escape(name)} | {'' if final is None else f'{final:.4f}'} | {score:.4f} |"
        for name, final, score in tables.reference_table()
    ]
    head = ["| pattern | final score | search score |", "|---|---|---|"]
    return ["## Reference patterns", "", *head, *rows, ""]


def _fairness(points: Sequence[Point]) -> list[str]:
    if not points:
        return []
    lines = [f"- {point.mark} {point.claim}: {escape(point.detail)}." for point in points]
    legend = "[x] holds, [ ] does not, [?] the runs do not say."
    return ["## Fairness", "", *lines, "", legend, ""]


def _controls(
    kind: str, controls: Sequence[PairedControl], how: str = "behind permuted letters"
) -> list[str]:
    if not controls:
        return []
    lines = [
        f"- {escape(each.real)} less {escape(each.control)}: {each.pair.difference}, "
        f"p = {each.pair.p_holm:.2g}"
        for each in controls
    ]
    return [f"## Controls: {kind}", "", escape(in_words(controls, how)), "", *lines, ""]


def _head_starts(pairs: Sequence[Comparison]) -> list[str]:
    if not pairs:
        return []
    lines = [
        f"- {escape(pair.first)} less {escape(pair.second)}: {pair.difference}, "
        f"p = {pair.p_holm:.2g}"
        for pair in pairs
    ]
    return ["Agents as they are against others that were told the patterns:", "", *lines, ""]


def _apart(runs: Sequence[ExcludedRun]) -> list[str]:
    if not runs:
        return []
    lines = [f"- {escape(run.searcher)}, {run.standing}: {escape(run.reason)}" for run in runs]
    return ["## Excluded runs, in no average", "", *lines, ""]
