"""The leaderboard of PatternBench: rows of searchers whose runs came out again when replayed.

    python -m nasarena.experiments.release.leaderboard DIR [FILE]

replays every run of a comparison and prints the row; with a file (`leaderboard/patternbench.json`)
it is added there, in the place of an earlier row of the same name. A row is admitted where all runs
are of one searcher that ships or lies in a file, under the board's condition, and replay.

The number that ranks: exact regret, the true score of the best of all patterns less that of the
pattern with the highest score seen, averaged over seeds.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.release.replay import NotReplayed, replay
from nasarena.experiments.settings.commands import evaluate_settings
from nasarena.search.errors import InvalidSetting, NasArenaError
from nasarena.search.hashes import config_hash
from nasarena.search.incumbent import best_first
from nasarena.search.proxy import KnownProxy
from nasarena.search.run_config import is_reference, label
from nasarena.search.run_folder import RunRecord, drop_measurements, find_runs, read_run
from nasarena.search.untrusted.drafts import replace_text

PROXY, UNIT, TRIALS, DESIGN, LEAST_SEEDS = "patternbench", "trials", 100, 4, 10


@dataclass(frozen=True, slots=True)
class Row:
    """A searcher on the board; `events` is a hash of all events that were replayed."""

    searcher: str
    regret: float
    standard_error: float
    seeds: int
    options: dict[str, Any]
    proxy_version: str
    date: str
    events: str


def admit(folder: Path) -> list[Row]:
    """Rows of all searchers whose runs lie below a folder. Raises NasArenaError for the first run
    that cannot be admitted."""
    records = [read_run(path) for path in find_runs(folder)]
    runs: dict[str, list[RunRecord]] = {}
    for record in records:
        if not is_reference(record.config):
            runs.setdefault(label(record.config), []).append(record)
    if not runs:
        raise InvalidSetting(f"{folder} holds no runs of a searcher")
    return [_row(name, own) for name, own in runs.items()]


def _row(name: str, records: Sequence[RunRecord]) -> Row:
    for record in records:
        _refuse_other_condition(record)
    records = sorted(records, key=lambda record: record.config["loop"]["seed"])
    seeds = [record.config["loop"]["seed"] for record in records]
    if seeds != list(range(len(seeds))) or len(seeds) < LEAST_SEEDS:
        raise InvalidSetting(
            f"{name}: seeds 0 to {LEAST_SEEDS - 1} at least are expected, in a row, got {seeds}"
        )
    first = records[0].config
    if any(record.config["searcher"] != first["searcher"] for record in records):
        raise InvalidSetting(f"{name}: its runs must have the same options")
    with tempfile.TemporaryDirectory() as folder:
        again = [replay(record, Path(folder)) for record in records]
    regrets = [_regret(one) for one in again]
    events = [event for one in again for event in drop_measurements(one.events)]
    return Row(
        name,
        round(float(np.mean(regrets)), 6),
        round(float(np.std(regrets, ddof=1)) / sqrt(len(regrets)), 6),
        len(regrets),
        dict(first["searcher"]["options"]),
        again[0].config["proxy"]["version"],
        str(records[0].header.get("date", ""))[:10],
        config_hash({"events": events}),
    )


def _refuse_other_condition(record: RunRecord) -> None:
    config, loop = record.config, record.config["loop"]
    wanted = {
        "state": (record.state, "finished"),
        "proxy": (config["proxy"]["name"], PROXY),
        "proxy.noise": (config["proxy"]["options"].get("noise", 1.0), 1.0),
        "budget.unit": (config["budget"]["unit"], UNIT),
        "budget.amount": (config["budget"]["amount"], TRIALS),
        "loop.initial_design": (loop["initial_design"], DESIGN),
        "loop.duplicates": (loop["duplicates"], "reuse"),
        "searcher.control": (config["searcher"].get("control", "none"), "none"),
    }
    for name, (found, expected) in wanted.items():
        if found != expected:
            raise InvalidSetting(f"{record.path}: {name} must be {expected}, got {found}")


def _regret(record: RunRecord) -> float:
    config = evaluate_settings([f"proxy={PROXY}"])
    proxy = build_proxy(config.proxy, config.space, cache=False)
    assert isinstance(proxy, KnownProxy)
    best = best_first(record.trials())
    if not best:
        raise NotReplayed(f"{record.path}: no trial has a score")
    return float(proxy.optimum()[1] - proxy.true_score(best[0].pattern))


def add_rows(file: Path, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The board in a file with these rows in it, the lowest regret first; written and returned."""
    known = json.loads(file.read_text()) if file.exists() else []
    new = [asdict(row) for row in rows]
    names = {row["searcher"] for row in new}
    board = [row for row in known if row["searcher"] not in names] + new
    board.sort(key=lambda row: (row["regret"], row["searcher"]))
    replace_text(file, json.dumps(board, indent=1) + "\n")
    return board


def main(arguments: Sequence[str]) -> int:
    """0; 2 with a line on stderr where a run is not admitted."""
    if not 1 <= len(arguments) <= 2:
        print(__doc__)
        return 2
    try:
        rows = admit(Path(arguments[0]))
    except NasArenaError as error:
        print(f"not admitted: {error}", file=sys.stderr)
        return 2
    for row in sorted(rows, key=lambda row: row.regret):
        print(f"{row.regret:.4f} +- {row.standard_error:.4f}  {row.searcher}, {row.seeds} seeds")
    if len(arguments) == 2:
        add_rows(Path(arguments[1]), rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
