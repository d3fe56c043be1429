"""Frozen anchors: the two scores that every normalized number is measured between.

0 is the optimum where a benchmark knows it (`benchmark.py`), else the best score known when the
anchors were frozen; 1 is random search under the same budget (the median of its runs, pooled over
all seeds). Scales taken from the searchers at hand would move everybody's numbers when one joins;
so anchors are written to a versioned file at the first drawing and only read from then on. A score
beyond the best known is below 0, which says so.

They are kept in `anchors.json` of the comparison. An entry belongs to one condition and one set of
seeds, by their hash.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nasarena.figures.results.noise import noise_floor
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.intervals import Floats
from nasarena.search.errors import NasArenaError
from nasarena.search.hashes import config_hash
from nasarena.search.run_config import BASELINE
from nasarena.search.untrusted.bounded_read import read_bounded
from nasarena.search.untrusted.drafts import replace_text

VERSION = 1
FILE_NAME = "anchors.json"


@dataclass(frozen=True, slots=True)
class Scale:
    """Anchors of one kind of score: best and random search, and the noise floor (None: unknown).

    `is_optimum`: `best` is exact, else the best known.

    `random` is None where the comparison had no random search: there is no unit to count in.
    """

    best: float
    random: float | None
    noise: float | None
    is_optimum: bool = False

    @property
    def best_in_words(self) -> str:
        return "the optimum" if self.is_optimum else "the best score known"

    def normalize(self, scores: ArrayLike) -> Floats:
        """Regret in units of random search's: 0 best known, 1 random search, lower is better."""
        values = np.asarray(scores, dtype=np.float64)
        if self.random is None or self.random >= self.best:
            return np.full(values.shape, np.nan)
        return (self.best - values) / (self.best - self.random)


@dataclass(frozen=True, slots=True)
class Anchors:
    """`search` for search scores, `final` for re-trained ones (None without re-training).

    `key` is the hash of condition and seeds.
    """

    key: str
    search: Scale
    final: Scale | None
    version: int = VERSION


def load_anchors(tables: Tables, file: Path) -> Anchors | None:
    """The anchors of this comparison: as frozen in `file`, else those to be frozen now.

    None where no run can be compared. Raises NasArenaError for a file that cannot be read.
    """
    if tables.runs.empty:
        return None
    key = anchors_key(tables)
    known = _read(file)
    return _from_json(key, known[key]) if key in known else compute_anchors(tables)


def freeze_anchors(anchors: Anchors, file: Path) -> None:
    """Write them into `file`, beside those of other conditions, unless it holds them already.

    Raises OSError where it cannot be written.
    """
    known = _read(file)
    if anchors.key not in known:
        entries = known | {anchors.key: _to_json(anchors)}
        text = json.dumps({"version": VERSION, "anchors": entries}, indent=1, sort_keys=True)
        replace_text(file, text + "\n")


def anchors_key(tables: Tables) -> str:
    """Hash of what the anchors depend on: proxy, space, budget, loop settings and seeds."""
    return config_hash({"condition": dict(tables.condition), "seeds": list(tables.seeds)})


def compute_anchors(tables: Tables) -> Anchors:
    """Anchors from the runs at hand: what is frozen where nothing was before.

    On a benchmark both anchors are true scores: the optimum, and what the patterns that random
    search holds in the end are worth. Final scores that another proxy trained have no known
    optimum.
    """
    scored = [tables.trials["best_so_far"].max(), tables.references["score"].max()]
    optimum = None if tables.benchmark is None else tables.benchmark.best
    search = Scale(
        best=float(np.nanmax(scored)) if optimum is None else optimum,
        random=_random_worth(tables),
        noise=noise_floor(tables, is_final=False),
        is_optimum=optimum is not None,
    )
    final = None
    if tables.is_retrained:
        means = tables.references.groupby("pattern")["final"].mean()
        highest = [tables.runs["final"].max(), means.max()]
        is_known = optimum is not None and not tables.condition.get("final_proxy")
        final = Scale(
            best=search.best if is_known else float(np.nanmax(highest)),
            random=_random_level(tables, "final"),
            noise=noise_floor(tables, is_final=True),
            is_optimum=is_known,
        )
    return Anchors(anchors_key(tables), search, final)


def _random_worth(tables: Tables) -> float | None:
    """What random search's runs hold in the end, by their median."""
    if tables.benchmark is None:
        return _random_level(tables, "best_search")
    trials = tables.trials
    held = trials[trials["searcher"] == BASELINE].groupby("seed")["worth"].last()
    return None if held.empty else float(held.median())


def _random_level(tables: Tables, column: str) -> float | None:
    """Median of random search's runs, or None without them."""
    runs = tables.runs.loc[tables.runs["searcher"] == BASELINE, column]
    return None if runs.empty else float(runs.median())


def _read(file: Any) -> dict[str, Any]:
    try:
        content = json.loads(read_bounded(file))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise NasArenaError(f"{file} cannot be read as anchors: {error}; remove it") from error
    if not isinstance(content, Mapping) or content.get("version") != VERSION:
        raise NasArenaError(
            f"{file} must be anchors of version {VERSION}; draw with the nasarena that wrote it"
        )
    return dict(content["anchors"])


def _to_json(anchors: Anchors) -> dict[str, Any]:
    return {key: value for key, value in asdict(anchors).items() if key not in ("key", "version")}


def _from_json(key: str, entry: Mapping[str, Any]) -> Anchors:
    final = None if entry["final"] is None else Scale(**entry["final"])
    return Anchors(key, Scale(**entry["search"]), final)
