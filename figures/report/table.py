"""table.csv: one row per searcher, per reference pattern and per excluded run."""

import pandas as pd

from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.standings import Standings
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.intervals import Interval, interval
from nasarena.figures.stats.multiple import Comparison
from nasarena.search.seeding import stream

TABLE_COLUMNS = (
    "kind name rank seeds score score_low score_high search_score search_low search_high "
    "gap gap_low gap_high score_of_best score_of_recommended regret regret_low regret_high "
    "exact_regret exact_regret_low exact_regret_high exact_rank exact_percentile "
    "exact_regret_of_finalists exact_regret_of_recommended vs_random vs_random_low vs_random_high "
    "p_vs_random effect_vs_random wins_vs_random vs_evolution vs_evolution_low vs_evolution_high "
    "p_vs_evolution vs_local-search vs_local-search_low vs_local-search_high p_vs_local-search "
    "area area_low area_high ert_budgets ert_at_least ert_successes trials failed "
    "duplicates invalid budget_share searcher_seconds training_seconds llm_calls llm_tokens reason"
).split()

_SHARE_COLUMNS = ("known_share", "known_share_low", "known_share_high")


def standings_table(analysis: Analysis) -> pd.DataFrame:
    """One row per searcher in order of rank, then reference patterns, then excluded runs.

    Scores with their 95 % limits; `regret` is normalized by the frozen anchors (0 best known, 1
    random search); `score_of_best` and `score_of_recommended` are final scores of the highest
    observed pattern and of those that a searcher recommends; `exact_regret`, `exact_rank` and
    `exact_percentile` judge each run's best pattern by its true score where a benchmark knows it
    (the last two are medians), `exact_regret_of_finalists` the patterns that decide; `vs_random`,
    `vs_evolution` and `vs_local-search` are mean paired differences with their Holm-corrected p;
    `area` is the mean regret over the budget and `ert_budgets` the expected number of budgets, with
    restarts, to the median best search score of random search (`ert_at_least` without a success);
    counts and seconds are means per run. `kind` is searcher, reference or excluded. `known_share`,
    where something is known, is the share of the known improvement of a task.
    """
    tables, standing = analysis.tables, analysis.standings
    rows = [_place_row(tables, standing, number) for number in range(len(standing.places))]
    for row in rows:
        row |= _speed(str(row["name"]), analysis)
    for row, truth in zip(rows, analysis.exact_standings, strict=False):
        row |= _limits("exact_regret", truth.regret)
        row |= {"exact_rank": truth.rank, "exact_percentile": truth.percentile}
        for name in ("of_finalists", "of_recommended"):
            if (found := getattr(truth, name)) is not None:
                row[f"exact_regret_{name}"] = found.estimate
    for row in rows if analysis.known else ():
        row |= _limits("known_share", analysis.known_shares.get(str(row["name"]), _UNKNOWN))
    for name, final, score in tables.reference_table():
        rows.append({"kind": "reference", "name": name, "score": final, "search_score": score})
    for run in tables.excluded:
        reason = f"{run.standing}: {run.reason}"
        rows.append({"kind": "excluded", "name": run.searcher, "reason": reason})
    return pd.DataFrame(rows, columns=[*TABLE_COLUMNS, *(_SHARE_COLUMNS if analysis.known else ())])


_UNKNOWN = Interval(float("nan"), float("nan"), float("nan"))


def _place_row(tables: Tables, standing: Standings, number: int) -> dict[str, object]:
    place = standing.places[number]
    own = tables.runs[tables.runs["searcher"] == place.searcher]
    row: dict[str, object] = {
        "kind": "searcher",
        "name": place.searcher,
        "rank": place.rank,
        "seeds": standing.num_seeds,
        **_limits("score", place.score),
        **_limits("search", place.search, "search_score"),
        **_limits("gap", place.gap),
        "score_of_best": own["final_of_best"].mean(),
        "score_of_recommended": own["final_of_recommended"].mean(),
        **_limits("regret", place.normalized),
        "trials": own["num_trained"].mean(),
        "failed": own["num_failed"].mean(),
        "duplicates": own["num_duplicates"].mean(),
        "invalid": own["num_invalid"].mean(),
        "budget_share": own["spent"].mean() / tables.budget,
        "searcher_seconds": own["searcher_seconds"].mean(),
        "training_seconds": own["training_seconds"].mean(),
        "llm_calls": own["llm_calls"].mean(),
        "llm_tokens": own["llm_tokens"].mean(),
    }
    for baseline in standing.against:
        if place.searcher != baseline:
            row |= _against(baseline, standing.to_baseline(place.searcher, baseline))
    return row


def _against(baseline: str, pair: Comparison) -> dict[str, float]:
    """Columns of a paired comparison; those that the table does not have are left out."""
    row = _limits(f"vs_{baseline}", pair.difference)
    row |= {f"p_vs_{baseline}": pair.p_holm, f"effect_vs_{baseline}": pair.effect}
    return row | {f"wins_vs_{baseline}": pair.wins}


def _speed(name: str, analysis: Analysis) -> dict[str, object]:
    """`area`: mean normalized regret over the budget; `ert`: budgets until random's level."""
    row: dict[str, object] = {}
    budget = analysis.tables.budget
    if name in analysis.areas:
        area = interval(analysis.areas[name], stream(0, "bootstrap", name, "area"))
        row |= _limits("area", area)
    if name in analysis.running_times:
        time = analysis.running_times[name]
        row["ert_budgets"] = time.expected / budget
        row["ert_at_least"] = time.at_least / budget
        row["ert_successes"] = time.success_rate
    return row


def _limits(name: str, interval: Interval, estimate: str | None = None) -> dict[str, float]:
    return {
        estimate or name: interval.estimate,
        f"{name}_low": interval.low,
        f"{name}_high": interval.high,
    }
