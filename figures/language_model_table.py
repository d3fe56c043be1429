"""What a language model brings to a search and what it costs, as tables for a page.

Over the seeds and searchers of `language_models.py`:

- regret or score of every searcher, with p against random search;
- what an agent loses by what is withheld from it, with p against itself with everything;
- means by landscape, where there are several;
- the pairs asked for: how much better the first is than the second;
- other comparisons asked for, of the same landscapes with another budget, in the units of this one;
- for each model, what became of its proposals and what they took. Well-formed are those that could
  be scored or repeat a pattern; asked again, those that took more than one reply. Tokens are those
  of a proposal with its questions and repeats; seconds, how long it was waited for while other runs
  asked as well. FLOPs are those of the model for each that a training took.

    python -m nasarena.figures.language_model_table runs/NAME [--pairs A:B ...] [--beside DIR ...]
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from nasarena.figures.language_model_chart import (
    CLASSICAL,
    Chart,
    Parts,
    Row,
    chart_of,
    read_parts,
    units_of,
)
from nasarena.figures.report.markdown import table_lines
from nasarena.figures.results.proposal_shares import proposal_shares
from nasarena.figures.stats.intervals import Interval
from nasarena.figures.stats.multiple import compare_pairs
from nasarena.search.errors import NasArenaError
from nasarena.search.run_folder import RunRecord
from nasarena.search.trial import LlmCost

WORTH = ("model", "searcher", "95 %", "p against random")
LOSSES = ("model", "withheld", "lost, 95 %", "p")
PAIRS = ("searcher", "than", "better by, 95 %", "p")
BESIDE = ("comparison", "searcher", "95 %")
COSTS = ("well-formed", "repaired", "asked again", "repeats", "tokens", "seconds", "FLOPs")


def markdown(folder: Path, pairs: Sequence[str] = (), beside: Sequence[Path] = ()) -> str:
    """The tables of a comparison. Raises NasArenaError as `chart_of`, and for unknown `pairs`."""
    parts = read_parts(folder)
    chart = chart_of(folder, parts)
    tables = [table_lines(WORTH, worths(chart))]
    if chart.against_agents:
        tables.append(table_lines(LOSSES, losses(chart)))
    if len(chart.landscapes) > 1:
        tables.append(table_lines(("model", "searcher", *chart.landscapes), means(chart)))
    if pairs:
        tables.append(table_lines(PAIRS, differences(chart, pairs)))
    if beside:
        others = [(one, chart_of(one, units=units_of(parts))) for one in beside]
        rows = [
            [one.name, row.title, _limits(other.interval(name))]
            for one, other in others
            for name, row in other.rows.items()
        ]
        tables.append(table_lines(BESIDE, rows))
    models = dict.fromkeys(row.model for row in chart.rows.values() if row.model != CLASSICAL)
    for model in models:
        rows = []
        for name, row in chart.rows.items():
            if row.model == model:
                runs = list(_runs_of(name, parts, chart))
                rows.append([row.title, *proposals(runs), *spending(runs)])
        tables.append(table_lines((model, *COSTS), rows))
    return "\n\n".join(map("\n".join, tables))


def worths(chart: Chart) -> list[list[str]]:
    """Every searcher with its interval; better or worse than random search, where that is known."""
    rows = []
    for name, row in chart.rows.items():
        pair, p = chart.against_random.get(name), ""
        if pair is not None:
            p = f"{pair.p_holm:.2g}"
            if pair.is_significant:
                p = f"{'better' if pair.favours_first else 'worse'}, {p}"
        rows.append([*_names(row), _limits(chart.interval(name)), p])
    return rows


def losses(chart: Chart) -> list[list[str]]:
    """Every control: how much worse it is than its agent, on average."""
    rows = []
    for pair in chart.against_agents:
        row = chart.rows[pair.second]
        rows.append([row.model, row.title, _limits(pair.difference), f"{pair.p_holm:.2g}"])
    return rows


def means(chart: Chart) -> list[list[str]]:
    """Every searcher's mean over the seeds, landscape by landscape."""
    return [
        [*_names(row), *(f"{value:.2f}" for value in row.values.mean(axis=0))]
        for row in chart.rows.values()
    ]


def differences(chart: Chart, pairs: Sequence[str]) -> list[list[str]]:
    """Of `first:second` by their labels; corrected for these pairs alone."""
    found = []
    for pair in pairs:
        first, _, second = pair.partition(":")
        for name in (first, second):
            if name not in chart.rows:
                raise NasArenaError(f"{pair}: {name!r} is not among {', '.join(chart.rows)}")
        found.append((first, second))
    return [
        [pair.first, pair.second, _limits(pair.difference), f"{pair.p_holm:.2g}"]
        for pair in compare_pairs(found, chart.scores)
    ]


def proposals(runs: Sequence[RunRecord]) -> list[str]:
    """What became of what the model proposed in these runs, as shares."""
    made = [one for run in runs for one in run.trials() if one.provenance.startswith("llm")]
    if not made:
        return ["-"] * 4
    shares = proposal_shares(made)
    well_formed, repaired = shares["well_formed_share"], shares["repaired_share"]
    asked_again = repaired + shares["resampled_share"] + 1 - well_formed
    return [
        _percent(one) for one in (well_formed, repaired, asked_again, shares["duplicate_share"])
    ]


def spending(runs: Sequence[RunRecord]) -> list[str]:
    """Tokens read (cached) and written for a proposal, seconds, FLOPs per FLOP of training."""
    trials = [one for run in runs for one in run.trials()]
    number = sum(one.provenance.startswith("llm") for one in trials) or 1
    costs = [one.llm for one in trials if one.llm is not None]
    total = sum(costs, LlmCost())
    read, written = total.prompt_tokens / number, total.completion_tokens / number
    trained = sum(one.cost.flops for one in trials)
    return [
        f"{read:.0f} ({total.cached_tokens / number:.0f}), {written:.0f}",
        f"{total.seconds / number:.1f}",
        f"{total.flops / trained:.2g}" if total.flops and trained else "-",
    ]


def _runs_of(name: str, parts: Parts, chart: Chart) -> Iterator[RunRecord]:
    for analysis in parts.values():
        for run in analysis.runs:
            if run.searcher == name and run.seed in chart.seeds:
                yield run.record


def _names(row: Row) -> tuple[str, str]:
    """The first two cells of a row: its model, if any, and the searcher."""
    return "" if row.model == CLASSICAL else row.model, row.title


def _limits(found: Interval) -> str:
    return f"{found.estimate:.3f} ({found.low:.3f} to {found.high:.3f})"


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")


def main(arguments: Sequence[str]) -> None:
    """Print the tables of the comparison in a folder."""
    parser = argparse.ArgumentParser(description="Tables of a comparison of language models.")
    parser.add_argument("folder", type=Path, help="of the comparison")
    parser.add_argument("--pairs", nargs="*", default=[], help="labels as FIRST:SECOND")
    parser.add_argument("--beside", nargs="*", type=Path, default=[], help="other budgets")
    settings = parser.parse_args(arguments)
    try:
        print(markdown(settings.folder, settings.pairs, settings.beside))
    except NasArenaError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main(sys.argv[1:])
