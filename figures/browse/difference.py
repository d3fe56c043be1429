"""Two comparisons side by side: settings, searchers, scores, verdicts.

Read from what they concluded (`table.csv`, `report.md`) and from the headers of their runs; nothing
is worked out anew. Scores stand beside each other whatever they are of, but a difference is only
shown where both are on one scale: the same proxy, judge and space, or the same landscapes.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasarena.figures.browse.folders import Entry, describe, kind_of, runs_in, sentences
from nasarena.figures.report.render import flatten
from nasarena.search.errors import NasArenaError, RunFolderRefused
from nasarena.search.run_config import condition, is_reference, label
from nasarena.search.untrusted.bounded_read import read_bounded
from nasarena.search.untrusted.one_line import one_line

_KINDS = ("comparison", "design", "suite")
_SCALE = ("proxy", "final_proxy", "space")  # settings that scores mean the same under
_LARGEST = 1 << 24


@dataclass(frozen=True, slots=True)
class Standing:
    """A searcher's place in one comparison, as its table says; what is not known is None."""

    rank: int | None
    score: float | None
    low: float | None
    high: float | None
    p_random: float | None


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two. `settings` are flat; `hashes` are those of its runs' configurations."""

    entry: Entry
    settings: Mapping[str, str]
    standings: Mapping[str, Standing]
    verdict: Sequence[str]
    hashes: frozenset[str]

    @property
    def name(self) -> str:
        return one_line(self.entry.path.resolve().name)

    @property
    def measure(self) -> str:
        """What ranks its searchers."""
        return "normalized regret" if self.entry.kind == "suite" else "score"


@dataclass(frozen=True, slots=True)
class Difference:
    """Two sides and what differs between them; `apart` says why scores have no difference."""

    left: Side
    right: Side

    @property
    def settings(self) -> list[tuple[str, str, str]]:
        """Settings that differ: name, left, right; empty where one has none."""
        return [row for row in self._all_settings() if row[1] != row[2]]

    @property
    def num_equal(self) -> int:
        """Settings in which they agree."""
        return sum(left == right for _, left, right in self._all_settings())

    @property
    def in_words(self) -> str:
        """How many settings differ, and how many do not."""
        num = len(self.settings)
        return f"{num} setting{'' if num == 1 else 's'} differ{'s' if num == 1 else ''}, " + (
            f"{self.num_equal} agree"
        )

    def _all_settings(self) -> Iterator[tuple[str, str, str]]:
        for key in dict.fromkeys([*self.left.settings, *self.right.settings]):
            yield key, self.left.settings.get(key, ""), self.right.settings.get(key, "")

    @property
    def apart(self) -> str:
        """The first setting for which scores are on two scales; empty where they are on one."""
        if self.left.measure != self.right.measure:
            return f"one has {self.left.measure}s, the other {self.right.measure}s"
        for key, left, right in self.settings:
            if any(part in _SCALE for part in key.split(".")[:2]):
                return f"{key} is {left or 'not set'} and {right or 'not set'}"
        return ""

    @property
    def searchers(self) -> list[tuple[str, Standing | None, Standing | None, float | None]]:
        """Everyone in either: name, both standings, right less left; ordered by the left's rank."""
        rows = []
        for name in dict.fromkeys([*self.left.standings, *self.right.standings]):
            left, right = self.left.standings.get(name), self.right.standings.get(name)
            change = None
            if left and right and not self.apart:
                if left.score is not None and right.score is not None:
                    change = right.score - left.score
            rows.append((name, left, right, change))
        return rows

    @property
    def num_common(self) -> int:
        """Runs of one and the same configuration."""
        return len(self.left.hashes & self.right.hashes)


def compare_folders(left: Path, right: Path) -> Difference:
    """The difference between two comparisons.

    Raises RunFolderRefused for a folder that holds none, or none that was concluded.
    """
    return Difference(_read_side(left), _read_side(right))


def _read_side(folder: Path) -> Side:
    kind = kind_of(folder)
    if kind not in _KINDS:
        raise RunFolderRefused(
            f"{folder} holds no comparison but {kind or 'none of our results'}; two comparisons "
            f"are set side by side, as nasarena browse runs/first runs/second"
        )
    places = [one.parent for one in sorted(folder.glob("*/plan.json"))] if kind == "suite" else []
    settings, hashes = dict[str, str](), set[str]()
    for place in places or [folder]:
        configs = dict(_configs(place))
        hashes |= set(configs)
        prefix = f"{place.name}." if places else ""
        settings |= {prefix + key: value for key, value in _settings_of(list(configs.values()))}
    entry = describe(folder, kind)
    return Side(entry, settings, _standings(folder), sentences(folder), frozenset(hashes))


def _configs(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Hash and configuration of every run that can be read."""
    for run in runs_in(folder):
        try:
            header = json.loads(read_bounded(run / "run.json", _LARGEST))
            config = header["config"]
            condition(config), label(config), is_reference(config), config["loop"]["seed"]
            yield str(header["config_hash"]), config
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue


def _settings_of(configs: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """What the runs share, the seeds, and each searcher's own options."""
    searching = [config for config in configs if not is_reference(config)]
    if not searching:
        return
    yield from ((one_line(key), one_line(value)) for key, value in flatten(condition(searching[0])))
    seeds = sorted({int(config["loop"]["seed"]) for config in searching})
    yield "seeds", ", ".join(map(str, seeds))
    options = {label(config): config["searcher"].get("options", {}) for config in searching}
    for name, own in sorted(options.items()):
        for key, value in flatten({name: own}):
            yield f"searcher {one_line(key)}", one_line(value)


def _standings(folder: Path) -> dict[str, Standing]:
    """The rows of table.csv that are of searchers, over all landscapes where there are several."""
    file = folder / "table.csv"
    try:
        rows = list(csv.DictReader(read_bounded(file, _LARGEST).decode("utf-8").splitlines()))
    except (OSError, ValueError, csv.Error) as error:
        raise NasArenaError(
            f"{file} cannot be read ({error}); nasarena report {folder} writes it"
        ) from error
    ranked = [row for row in rows if row.get("kind") == "searcher" or row.get("landscape") == "all"]
    return {one_line(row.get("name")): _standing(row) for row in ranked}


def _standing(row: Mapping[str, str]) -> Standing:
    measure = "regret" if row.get("landscape") == "all" else "score"
    rank = _number(row.get("rank"))
    names = (measure, f"{measure}_low", f"{measure}_high", "p_vs_random")
    return Standing(
        None if rank is None else int(rank), *(_number(row.get(name)) for name in names)
    )


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if value == value and abs(value) != float("inf") else None
