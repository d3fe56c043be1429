"""Runs as tables for any program: `runs`, `trials` and `finals` as CSV, parquet or JSON.

One row for each run, trial and re-training, of every run there is, unfinished ones too. Columns
are those of `nasarena.figures.results.rows`; native metrics stand as `metrics.NAME`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from nasarena.experiments.exchange.tracking import TrackedRun
from nasarena.figures.results.rows import final_rows, trial_rows
from nasarena.search.run_folder import RunRecord

_WHOLE = ("seed", "index", "replicate", "duplicate_of")  # numbers, of which some may be missing


def write_csv(records: Iterable[RunRecord], folder: Path) -> None:
    for name, table in _tables(records).items():
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")


def write_parquet(records: Iterable[RunRecord], folder: Path) -> None:
    for name, table in _tables(records).items():
        table.to_parquet(folder / f"{name}.parquet", index=False)


def write_json(records: Iterable[RunRecord], folder: Path) -> None:
    """A list of objects in each file; what is not there is null."""
    for name, table in _tables(records).items():
        content = table.to_json(orient="records", double_precision=15, indent=1)
        (folder / f"{name}.json").write_text(content + "\n")


def _tables(records: Iterable[RunRecord]) -> dict[str, pd.DataFrame]:
    runs: list[Mapping[str, Any]] = []
    trials: list[Mapping[str, Any]] = []
    finals: list[Mapping[str, Any]] = []
    for record in records:
        run = TrackedRun(record.path, record.header)
        seed = record.config.get("loop", {}).get("seed")
        key = {"comparison": run.comparison, "searcher": run.searcher, "seed": seed}
        runs.append(key | _facts(record))
        metrics = ({f"metrics.{k}": v for k, v in one.metrics.items()} for one in record.trials())
        rows = zip(trial_rows(record), metrics, strict=True)
        trials += [key | row | own for row, own in rows]
        finals += [key | row for row in final_rows(record)]
    return {"runs": _set_types(runs), "trials": _set_types(trials), "finals": _set_types(finals)}


def _facts(record: RunRecord) -> dict[str, Any]:
    """A run in one row: its state, settings that say what it is, and what it came to."""
    config, settled = record.config, list(record.of_kind("settled"))
    proxy, budget = config.get("proxy", {}), config.get("budget", {})
    return {
        "state": record.state,
        "proxy": proxy.get("name"),
        "proxy_version": proxy.get("version"),
        "budget_unit": budget.get("unit"),
        "budget_amount": budget.get("amount"),
        "spent": settled[-1]["spent"] if settled else 0.0,
        "num_trials": len(settled),
        "config_hash": record.header["config_hash"],
        "date": record.header.get("date"),
        "commit": record.header.get("commit"),
    }


def _set_types(rows: list[Mapping[str, Any]]) -> pd.DataFrame:
    """The same types whatever is missing, so that files of two comparisons can be joined."""
    table = pd.DataFrame(rows)
    for name in table.columns.intersection(list(_WHOLE)):
        table[name] = table[name].astype("Int64")
    for name in table.columns.intersection(["score", "search_score"]):
        table[name] = table[name].astype(float)
    return table
