"""A run done again from what its run.json says: the same asks, the same scores, or it is refused.

The search is done anew in a folder of its own, its scores computed by the proxy here, the replies
of a language model taken from the run's own record. So are the scores of a proxy that trains: what
a replay shows of such a run is that its searcher, given these scores, asks for these patterns.
Re-trainings after the search are not repeated.

    python -m nasarena.experiments.release.replay DIR

does so with every run below a folder that asked a language model, and says how many are the same.
"""

import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.comparison.run_spec import search_cell
from nasarena.experiments.comparison.shared_model import with_model
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.release.recorded_outcomes import RecordedOutcomes
from nasarena.experiments.settings.choices import ProxyConfig
from nasarena.experiments.settings.commands import compare_settings
from nasarena.search.candidates.protocol import Space
from nasarena.search.errors import NasArenaError
from nasarena.search.hashes import config_hash
from nasarena.search.proxy import Proxy
from nasarena.search.run_config import Config, first_difference, label
from nasarena.search.run_folder import Event, RunRecord, drop_measurements, find_runs, read_run

_DIGITS = 1e-12  # relative
_OF_SEARCH = ("asked", "llm_call", "settled", "recommended", "searched")


class NotReplayed(NasArenaError):
    """A run that does not come out again as it was recorded."""


def replay(record: RunRecord, folder: Path) -> RunRecord:
    """The search of a run, done again below `folder`. Raises NotReplayed where anything differs.

    Times are left out of it, and so is the version of the proxy's code: code that changed since is
    held to every score of the record instead. Of numbers twelve digits count: a library of linear
    algebra adds in an order that follows the CPU, so the last ones belong to a machine.
    """
    config = compare_settings(**_settings(record, folder))
    planned = plan_comparison(config, "replay")
    (cell,) = planned.cells
    name = label(record.config)  # the name of a control or of a model may have joined it
    place = planned.folder / name / cell.path.name
    cell = replace(cell, entrant=replace(cell.entrant, label=name), path=place)
    comparison = replace(planned, cells=[cell])
    with with_model(comparison, config, make_console(stderr=True)) as comparison:
        (cell,) = comparison.cells
        _refuse_other_settings(record, cell.config)
        search_cell(cell, lambda advance: None, partial(_build, record))
    again = read_run(cell.path)
    _refuse_difference(record, again)
    return again


def _build(record: RunRecord, config: ProxyConfig, space: Space, cache: bool) -> Proxy:
    proxy = build_proxy(config, space, cache)
    return RecordedOutcomes(proxy, record) if proxy.abilities.trains else proxy


def _settings(record: RunRecord, folder: Path) -> dict[str, Any]:
    """The settings of a comparison that has this run alone."""
    config = record.config
    searcher, proxy, loop = config["searcher"], config["proxy"], dict(config["loop"])
    entry = {"name": searcher["name"], "options": dict(searcher["options"])}
    entry |= {"control": searcher["control"]} if searcher.get("control") else {}
    if "llm" in config:
        llm: Mapping[str, Any] = {"name": "replay", "record": str(record.path.parents[1])}
    else:
        llm = {}
    return {
        "searchers": [entry],
        "first_seed": loop.pop("seed"),
        "seeds": 1,
        "proxy": {"name": proxy["name"], **proxy["options"]},
        "final_proxy": config.get("final_proxy", {"name": "same"})["name"],
        "space": dict(config["space"]),
        "budget": dict(config["budget"]),
        "loop": loop,
        "references": False,
        "report": False,
        "name": "replayed",
        "folder": str(folder),
        **({"llm": llm} if llm else {}),
    }


def _refuse_other_settings(record: RunRecord, here: Config) -> None:
    if config_hash(record.config) != record.header["config_hash"]:
        raise NotReplayed(f"{record.path}: its settings were changed after it ran")
    found = first_difference(_without_versions(record.config), _without_versions(here))
    if found:
        raise NotReplayed(
            f"{record.path} was made with settings that give others here: "
            f"{found[0]} was {found[1]!r} and is {found[2]!r}"
        )


def _without_versions(config: Config) -> Config:
    def strip(part: Config) -> Config:
        return {key: value for key, value in part.items() if key != "version"}

    proxies = {key: strip(config[key]) for key in ("proxy", "final_proxy") if key in config}
    return {**config, **proxies}


def _refuse_difference(record: RunRecord, again: RunRecord) -> None:
    before, now = _search_events(record), _search_events(again)
    for number, (one, other) in enumerate(zip(before, now, strict=False), start=1):
        other = _with_digits_of(one, other)
        if one != other:
            key, left, right = first_difference(one, other) or ("?", one, other)
            raise NotReplayed(
                f"{record.path}: event {number} of its search says {key} {left!r}, replayed it is "
                f"{right!r}"
            )
    if len(before) != len(now):
        raise NotReplayed(
            f"{record.path} has {len(before)} events of its search, replayed there are {len(now)}"
        )


def _with_digits_of(one: Any, other: Any) -> Any:
    """`other`, with the numbers of `one` wherever they differ in the last digits alone."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {key: _with_digits_of(one.get(key), value) for key, value in other.items()}
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [_with_digits_of(*pair) for pair in zip(one, other, strict=True)]
    is_close = isinstance(one, float) and isinstance(other, float)
    return one if is_close and math.isclose(one, other, rel_tol=_DIGITS) else other


def _search_events(record: RunRecord) -> list[Event]:
    events = [event for event in record.events if event["event"] in _OF_SEARCH]
    return drop_measurements(events)


def main(arguments: Sequence[str]) -> int:
    """0 where every run that asked a language model came out again, else 2."""
    if len(arguments) != 1:
        print(__doc__)
        return 2
    same = asking = 0
    for path in find_runs(Path(arguments[0])):
        record = read_run(path)
        if "llm" not in record.config:
            continue
        asking += 1
        with tempfile.TemporaryDirectory() as folder:
            try:
                replay(record, Path(folder))
                same += 1
            except NasArenaError as error:
                print(f"{path}: {error}", file=sys.stderr)
    print(f"{same} of {asking} runs came out again: the same events but for times")
    return 0 if same == asking else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
