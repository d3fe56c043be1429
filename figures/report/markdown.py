"""report.md: the conclusion as text, with its numbers, its fairness list and its provenance."""

from nasarena.figures.plots.anytime import reference_scores
from nasarena.figures.plots.letter_control import in_words, letter_controls
from nasarena.figures.report.conclusion import Conclusion
from nasarena.figures.results.standings import Standings
from nasarena.figures.results.tables import BASELINE, Tables


def markdown(conclusion: Conclusion) -> str:
    """The report as text: verdict, table, figures, fairness list, what stood apart, provenance."""
    frames, standing = conclusion.frames, conclusion.standings
    first, *others = conclusion.verdict
    lines = [f"# Comparison {frames.name}", "", f"**{first}**", "", *others, ""]
    if standing.places:
        kind = "final score" if standing.is_final else "search score"
        lines += [
            f"| rank | searcher | {kind} | search score | gap | vs random | p (Holm) |",
            "|---|---|---|---|---|---|---|",
            *(_markdown_row(standing, number) for number in range(len(standing.places))),
            "",
            f"Interquartile means over {frames.seeds_in_words}"
            + (" with 95 % intervals; " if standing.num_seeds > 1 else "; ")
            + f"the gap is the search score less the {kind} of the same patterns (winner's curse).",
            "",
        ]
    if not frames.references.empty:
        lines += ["## Reference patterns", "", *_markdown_references(frames), ""]
    lines += [f"![{drawing.title}](figures/{drawing.png.name})" for drawing in conclusion.drawings]
    lines.append("")
    if conclusion.fairness:
        lines += ["## Fairness", ""]
        lines += [f"- {point.mark} {point.claim}: {point.detail}." for point in conclusion.fairness]
        lines += ["", "[x] holds, [ ] does not, [?] the runs do not say.", ""]
    if blinded := letter_controls(frames, standing):
        lines += ["## Controls: permuted letters", "", in_words(blinded), ""]
        lines += [
            f"- {each.real} less {each.control}: {each.pair.difference}, p = {each.pair.p_holm:.2g}"
            for each in blinded
        ]
        lines.append("")
    if frames.apart:
        lines += ["## Runs set apart, in no average", ""]
        lines += [
            f"- {run.searcher}, seed {run.seed} ({run.state}): {run.reason}" for run in frames.apart
        ]
        lines.append("")
    lines += ["## Provenance", "", f"Command: `{conclusion.source.command}`  "]
    lines += [f"Data: {conclusion.source.data_hash}", ""]
    return "\n".join(lines)


def _markdown_row(standing: Standings, number: int) -> str:
    place = standing.places[number]
    cells = [str(place.rank), place.searcher, str(place.score), str(place.search), str(place.gap)]
    if BASELINE in standing.against and place.searcher != BASELINE:
        pair = standing.to_baseline(place.searcher)
        cells += [str(pair.difference), f"{pair.p_holm:.2g}"]
    else:
        cells += ["", ""]
    return f"| {' | '.join(cells)} |"


def _markdown_references(frames: Tables) -> list[str]:
    finals = reference_scores(frames, "final")
    rows = [
        f"| {name} | {finals.get(name, float('nan')):.4f} | {score:.4f} |"
        for name, score in reference_scores(frames).items()
    ]
    return ["| pattern | final score | search score |", "|---|---|---|", *rows]
