"""What a language model brings to a search and what it costs, as a table for a page.

A row is a searcher of `language_models.py`, over the same seeds: regret or score, p against random
search, then what became of the model's proposals and what they took. Well-formed are those that
could be scored or repeat a pattern; asked again, those that took more than one reply. Tokens are
those of a proposal with its questions and repeats; seconds, how long it was waited for while other
runs asked as well. FLOPs are those of the model for each that a training took.

    python -m nasarena.figures.language_model_table runs/NAME
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from nasarena.figures.language_models import CLASSICAL, Chart, Parts, chart_of, read_parts
from nasarena.figures.results.proposal_shares import proposal_shares
from nasarena.search.run_folder import RunRecord
from nasarena.search.trial import LlmCost

HEAD = (
    "model", "searcher", "95 %", "p against random", "well-formed", "repaired", "asked again",
    "repeats", "tokens read (cached), written", "seconds", "FLOPs",
)  # fmt: skip


def markdown(folder: Path) -> str:
    """The table of a comparison. Raises NasArenaError as `chart_of`."""
    parts = read_parts(folder)
    chart = chart_of(folder, parts)
    lines = [_line(HEAD), _line(["---"] * len(HEAD))]
    for name, row in chart.rows.items():
        costs = [""] * 7
        if row.model != CLASSICAL:
            runs = list(_runs_of(name, parts, chart))
            costs = proposals(runs) + spending(runs)
        model = "" if row.model == CLASSICAL else row.model
        lines.append(_line([model, row.title, *_worth(name, chart), *costs]))
    return "\n".join(lines)


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
    """Tokens and seconds of a proposal, and FLOPs for each of the trainings'."""
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


def _worth(name: str, chart: Chart) -> list[str]:
    found, pair = chart.interval(name), chart.against_random.get(name)
    p = "" if pair is None else f"{'better' if pair.favours_first else 'worse'}, {pair.p_holm:.2g}"
    return [f"{found.estimate:.3f} ({found.low:.3f} to {found.high:.3f})", p]


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str]) -> None:
    """Print the table of the comparison in a folder."""
    if len(arguments) != 1:
        raise SystemExit("give the folder of a comparison")
    print(markdown(Path(arguments[0])))


if __name__ == "__main__":
    main(sys.argv[1:])
