"""What a language model brings to a search and what it costs, as tables for a page.

Three kinds, over the seeds and searchers of `language_models.py`:

- regret or score of every searcher, with p against random search;
- what an agent loses by what is withheld from it, with p against itself with everything;
- for each model, what became of its proposals and what they took. Well-formed are those that could
  be scored or repeat a pattern; asked again, those that took more than one reply. Tokens are those
  of a proposal with its questions and repeats; seconds, how long it was waited for while other runs
  asked as well. FLOPs are those of the model for each that a training took.

    python -m nasarena.figures.language_model_table runs/NAME
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from nasarena.figures.language_model_chart import (
    CLASSICAL,
    Chart,
    Parts,
    chart_of,
    read_parts,
)
from nasarena.figures.report.markdown import table_lines
from nasarena.figures.results.proposal_shares import proposal_shares
from nasarena.figures.stats.intervals import Interval
from nasarena.search.run_folder import RunRecord
from nasarena.search.trial import LlmCost

WORTH = ("model", "searcher", "95 %", "p against random")
LOSSES = ("model", "withheld", "lost, 95 %", "p")
COSTS = ("well-formed", "repaired", "asked again", "repeats", "tokens", "seconds", "FLOPs")


def markdown(folder: Path) -> str:
    """The tables of a comparison. Raises NasArenaError as `chart_of`."""
    parts = read_parts(folder)
    chart = chart_of(folder, parts)
    tables = [table_lines(WORTH, worths(chart)), table_lines(LOSSES, losses(chart))]
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
    """Every searcher with its interval, and better or worse than random search."""
    rows = []
    for name, row in chart.rows.items():
        pair, p = chart.against_random.get(name), ""
        if pair is not None:
            p = f"{'better' if pair.favours_first else 'worse'}, {pair.p_holm:.2g}"
        model = "" if row.model == CLASSICAL else row.model
        rows.append([model, row.title, _limits(chart.interval(name)), p])
    return rows


def losses(chart: Chart) -> list[list[str]]:
    """Every control: how much worse it is than its agent, on average."""
    rows = []
    for pair in chart.against_agents:
        row = chart.rows[pair.second]
        rows.append([row.model, row.title, _limits(pair.difference), f"{pair.p_holm:.2g}"])
    return rows


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


def _limits(found: Interval) -> str:
    return f"{found.estimate:.3f} ({found.low:.3f} to {found.high:.3f})"


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")


def main(arguments: Sequence[str]) -> None:
    """Print the tables of the comparison in a folder."""
    if len(arguments) != 1:
        raise SystemExit("give the folder of a comparison")
    print(markdown(Path(arguments[0])))


if __name__ == "__main__":
    main(sys.argv[1:])
