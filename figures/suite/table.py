"""table.csv of a suite: a row for each searcher over all landscapes, then one on each of them."""

import pandas as pd

from nasarena.figures.stats.multiple import Comparison
from nasarena.figures.suite.results import SuiteResults
from nasarena.search.run_config import BASELINE

ALL = "all"
TABLE_COLUMNS = (
    "landscape name rank blocks regret regret_low regret_high vs_random vs_random_low "
    "vs_random_high p_vs_random effect_vs_random wins_vs_random final_score exact_regret "
    "search_score searcher_seconds llm_calls llm_tokens"
).split()


def suite_table(results: SuiteResults) -> pd.DataFrame:
    """`regret` is normalized; differences from random search are too, and positive is better.

    `final_score`, `exact_regret` and `search_score` are in the units of the landscape.
    """
    rows: list[dict[str, object]] = []
    against = {pair.first: pair for pair in results.against.get(BASELINE, [])}
    for place in results.places:
        rows.append(
            {
                "landscape": ALL,
                "name": place.searcher,
                "rank": place.rank,
                "blocks": results.num_blocks,
                "regret": place.regret.estimate,
                "regret_low": place.regret.low,
                "regret_high": place.regret.high,
                **_against(against.get(place.searcher)),
            }
        )
    for column, landscape in enumerate(results.landscapes):
        pairs = {}
        if BASELINE in results.searchers:
            pairs = {pair.first: pair for pair in results.on(column)}
        standings = {one.searcher: one for one in landscape.analysis.standings.places}
        runs = landscape.analysis.tables.runs
        for place in results.places:
            own = runs[runs["searcher"] == place.searcher]
            regret = float(results.regrets[place.searcher][:, column].mean())
            rows.append(
                {
                    "landscape": landscape.name,
                    "name": place.searcher,
                    "blocks": len(results.seeds),
                    "regret": regret,
                    **_against(pairs.get(place.searcher)),
                    "final_score": standings[place.searcher].score.estimate,
                    "exact_regret": regret * landscape.difficulty.random_regret,
                    "search_score": standings[place.searcher].search.estimate,
                    "searcher_seconds": own["searcher_seconds"].mean(),
                    "llm_calls": own["llm_calls"].mean(),
                    "llm_tokens": own["llm_tokens"].mean(),
                }
            )
    return pd.DataFrame(rows, columns=TABLE_COLUMNS)


def _against(pair: Comparison | None) -> dict[str, float]:
    if pair is None:
        return {}
    return {
        "vs_random": pair.difference.estimate,
        "vs_random_low": pair.difference.low,
        "vs_random_high": pair.difference.high,
        "p_vs_random": pair.p_holm,
        "effect_vs_random": pair.effect,
        "wins_vs_random": pair.wins,
    }
