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

_MEANS = ["searcher_seconds", "llm_calls", "llm_tokens"]


def suite_table(results: SuiteResults) -> pd.DataFrame:
    """`regret` is normalized; differences from random search are too, and positive is better.

    `final_score`, `exact_regret` and `search_score` are in the units of the landscape.
    """
    rows = _overall(results)
    for column in range(len(results.landscapes)):
        rows += _on_landscape(results, column)
    return pd.DataFrame(rows, columns=TABLE_COLUMNS)


def _overall(results: SuiteResults) -> list[dict[str, object]]:
    against = {pair.first: pair for pair in results.against.get(BASELINE, [])}
    return [
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
        for place in results.places
    ]


def _on_landscape(results: SuiteResults, column: int) -> list[dict[str, object]]:
    landscape = results.landscapes[column]
    pairs = results.against_random[column]
    standings = {one.searcher: one for one in landscape.analysis.standings.places}
    runs = landscape.analysis.tables.runs.groupby("searcher")
    return [
        {
            "landscape": landscape.name,
            "name": name,
            "blocks": len(results.seeds),
            "regret": (regret := float(results.regrets[name][:, column].mean())),
            **_against(pairs.get(name)),
            "final_score": standings[name].score.estimate,
            "exact_regret": regret * landscape.difficulty.random_regret,
            "search_score": standings[name].search.estimate,
            **{key: runs.get_group(name)[key].mean() for key in _MEANS},
        }
        for name in (place.searcher for place in results.places)
    ]


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
