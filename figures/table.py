"""table.csv: one row per searcher, per reference pattern and per run that stood apart."""

import pandas as pd

from nasarena.figures.anytime import reference_scores
from nasarena.figures.frame import Frames
from nasarena.figures.standings import BASELINE, Standings
from nasarena.figures.stats import Interval

TABLE_COLUMNS = (
    "kind name rank seeds score score_low score_high search_score search_low search_high "
    "gap gap_low gap_high vs_random vs_random_low vs_random_high p_vs_random trials failed "
    "duplicates invalid budget_share searcher_seconds training_seconds llm_calls llm_tokens reason"
).split()


def standings_table(frames: Frames, standing: Standings) -> pd.DataFrame:
    """One row per searcher in order of rank, then reference patterns, then what stood apart.

    Scores with their 95 % limits; `vs_random` is the paired difference to random search;
    counts and seconds are means per run. `kind` is searcher, reference or apart.
    """
    rows = [_place_row(frames, standing, number) for number in range(len(standing.places))]
    finals = reference_scores(frames, "final")
    for name, score in reference_scores(frames).items():
        rows.append(
            {"kind": "reference", "name": name, "score": finals.get(name), "search_score": score}
        )
    for run in frames.apart:
        reason = f"seed {run.seed}, {run.state}: {run.reason}"
        rows.append({"kind": "apart", "name": run.searcher, "reason": reason})
    return pd.DataFrame(rows, columns=TABLE_COLUMNS)


def _place_row(frames: Frames, standing: Standings, number: int) -> dict[str, object]:
    place = standing.places[number]
    own = frames.runs[frames.runs["searcher"] == place.searcher]
    row: dict[str, object] = {
        "kind": "searcher",
        "name": place.searcher,
        "rank": place.rank,
        "seeds": standing.num_seeds,
        **_limits("score", place.score),
        **_limits("search", place.search, "search_score"),
        **_limits("gap", place.gap),
        "trials": own["num_trained"].mean(),
        "failed": own["num_failed"].mean(),
        "duplicates": own["num_duplicates"].mean(),
        "invalid": own["num_invalid"].mean(),
        "budget_share": own["spent"].mean() / float(frames.condition["budget"]["amount"]),
        "searcher_seconds": own["searcher_seconds"].mean(),
        "training_seconds": own["training_seconds"].mean(),
        "llm_calls": own["llm_calls"].mean(),
        "llm_tokens": own["llm_tokens"].mean(),
    }
    if BASELINE in standing.scores and place.searcher != BASELINE:
        pair = standing.pair(place.searcher, BASELINE)
        row |= _limits("vs_random", pair.difference) | {"p_vs_random": pair.p_holm}
    return row


def _limits(name: str, interval: Interval, estimate: str | None = None) -> dict[str, float]:
    return {
        estimate or name: interval.estimate,
        f"{name}_low": interval.low,
        f"{name}_high": interval.high,
    }
