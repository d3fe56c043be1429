"""What the benchmark behind a comparison knows exactly, read from `benchmark.json` of its folder.

`nasarena compare` writes the file (`experiments/comparison/benchmark_facts.py` says how): the
optimum, true scores and ranks of all patterns that were scored, and for PatternBench the quality of
its surrogate. A proxy that is trained has none of that, and there is no file.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasarena.figures.stats.intervals import Floats
from nasarena.search.errors import NasArenaError
from nasarena.search.untrusted.bounded_read import read_bounded

FILE_NAME = "benchmark.json"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of surrogate as nested cross-validation judged it.

    `error`: root mean square against single trainings, noise included; `fold_errors` the same of
    each outer fold.
    """

    name: str
    error: float
    fold_errors: tuple[float, ...]
    is_winner: bool


@dataclass(frozen=True, slots=True)
class SurrogateQuality:
    """The served surrogate on test patterns that no surrogate was fitted to, two trainings each.

    Agreement is that on uniform patterns; `tau_slice` and `ceiling_slice` are those on patterns of
    the letters `slice`, NaN where there are none of them. `predicted` `(num_patterns,)` and
    `measured` `(num_patterns, 2)` are scores of both, in one order. `spread` is the standard
    deviation between trainings of one pattern, `fitted_spread` that of the trainings behind nested
    errors, `discrepancy` the surrogate's own error; NaN where an earlier version did not say.
    """

    winner: str
    proxy: str
    num_trainings: int
    num_trained: int
    num_repeated: int
    spread: float
    fitted_spread: float
    discrepancy: float
    discrepancy_interval: tuple[float, float]
    tau: float
    tau_interval: tuple[float, float]
    ceiling: float
    ceiling_interval: tuple[float, float]
    tau_top_tenth: float
    ceiling_top_tenth: float
    slice: str
    tau_slice: float
    tau_slice_interval: tuple[float, float]
    ceiling_slice: float
    kinds: tuple[Kind, ...]
    patterns: tuple[str, ...] = field(repr=False)
    predicted: Floats = field(repr=False)
    measured: Floats = field(repr=False)

    @property
    def is_uniform(self) -> NDArray[np.bool_]:
        """Which of `patterns` are the uniform ones."""
        if np.isnan(self.tau_slice):
            return np.ones(len(self.patterns), dtype=np.bool_)
        return np.array([not set(pattern) <= set(self.slice) for pattern in self.patterns])


@dataclass(frozen=True, slots=True)
class Difficulty:
    """How hard a landscape is.

    `noise` is the standard deviation of one training of the optimum, `share_within_noise` the share
    of the space not further below it than that. `icc` is the intraclass correlation of one training
    over uniform patterns, `elite_icc` among the `elite_patterns` best that have `elite_seeds`
    trainings or more; NaN where there are too few. Of `orders` of patterns published at scale,
    `orders_agreeing` hold here; 0 where nobody asked. `random_regret`: the expected regret of the
    best of as many uniform patterns as a run has trials, picked by their true scores.
    """

    noise: float
    share_within_noise: float
    icc: float
    elite_icc: float
    elite_patterns: int
    elite_seeds: int
    orders: int
    orders_agreeing: int
    random_regret: float


@dataclass(frozen=True, slots=True)
class Benchmark:
    """`best` is the true score of the `optimum`; `scores`, `ranks` (1 is best) by pattern.

    `ranks` is empty where the whole space was not ranked; `trainings` counts the real trainings of
    a pattern, None where there is no such thing; so is `difficulty` where nobody worked it out.
    """

    proxy: str
    size: int
    optimum: str
    best: float
    scores: Mapping[str, float] = field(repr=False)
    ranks: Mapping[str, int] = field(repr=False)
    trainings: Mapping[str, int] | None = field(repr=False)
    surrogate: SurrogateQuality | None
    content: str = field(repr=False)
    difficulty: Difficulty | None = None

    def percentile(self, rank: float) -> float:
        """Percent of the space that does not score higher than the pattern of this rank."""
        return 100.0 * (self.size - rank + 1) / self.size


def read_benchmark(folder: Path, condition: Mapping[str, Any]) -> Benchmark | None:
    """The benchmark of the runs in `folder`, all made under `condition`; None without a file.

    Raises NasArenaError for a file that cannot be read, or that another proxy wrote.
    """
    file = folder / FILE_NAME
    if not file.exists():
        return None
    try:
        content = read_bounded(file).decode()
        facts = json.loads(content)
        if facts["version"] != VERSION:
            raise ValueError(f"version {facts['version']}, not {VERSION}")
        found = _benchmark(facts, content)
        written_by = facts["proxy"]["version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise NasArenaError(
            f"{file} cannot be read as what a benchmark knows ({' '.join(str(error).split())}); "
            f"the command that made the comparison writes it again"
        ) from error
    if written_by != condition["proxy"].get("version", written_by):
        raise NasArenaError(
            f"{file} belongs to version {written_by} of {facts['proxy']['name']}, the runs to "
            f"{condition['proxy']['version']}; run the command that made the comparison again"
        )
    return found


def _benchmark(facts: Mapping[str, Any], content: str) -> Benchmark:
    surrogate = facts["surrogate"]
    return Benchmark(
        proxy=facts["proxy"]["name"],
        size=int(facts["size"]),
        optimum=facts["optimum"]["pattern"],
        best=float(facts["optimum"]["score"]),
        scores=dict(facts["scores"]),
        ranks=dict(facts["ranks"] or {}),
        trainings=facts["trainings"],
        surrogate=None if surrogate is None else _surrogate(surrogate),
        content=content,
        difficulty=_difficulty(facts.get("difficulty")),
    )


def _difficulty(facts: Mapping[str, Any] | None) -> Difficulty | None:
    if facts is None:
        return None
    return Difficulty(
        noise=float(facts["noise"]),
        share_within_noise=float(facts["share_within_noise"]),
        icc=_number(facts["icc"]),
        elite_icc=_number(facts["elite_icc"]),
        elite_patterns=int(facts["elite_patterns"]),
        elite_seeds=int(facts["elite_seeds"]),
        orders=int(facts.get("orders", 0)),
        orders_agreeing=int(facts.get("orders_agreeing", 0)),
        random_regret=float(facts["random_regret"]),
    )


def _surrogate(facts: Mapping[str, Any]) -> SurrogateQuality:
    test, sample, pairs = facts["test"], facts["sample"], facts["held_out"]
    part = facts.get("test_slice") or {}
    return SurrogateQuality(
        winner=facts["winner"],
        proxy=facts["proxy"]["proxy"],
        num_trainings=sample["trainings"],
        num_trained=sample["patterns"],
        num_repeated=sample["repeated"],
        spread=facts["spread"],
        fitted_spread=_number(facts.get("fitted_spread")),
        discrepancy=_number(facts.get("discrepancy")),
        discrepancy_interval=_limits(facts.get("discrepancy_interval")),
        tau=test["kendall_tau"],
        tau_interval=_limits(test["tau_interval"]),
        ceiling=test["noise_ceiling"],
        ceiling_interval=_limits(test["ceiling_interval"]),
        tau_top_tenth=_number(test["tau_top_tenth"]),
        ceiling_top_tenth=_number(test["ceiling_top_tenth"]),
        slice=facts.get("slice", ""),
        tau_slice=_number(part.get("kendall_tau")),
        tau_slice_interval=_limits(part.get("tau_interval")),
        ceiling_slice=_number(part.get("noise_ceiling")),
        kinds=tuple(_kind(kind, facts["winner"]) for kind in facts["kinds"]),
        patterns=tuple(pair[0] for pair in pairs),
        predicted=np.array([pair[1] for pair in pairs], dtype=np.float64),
        measured=np.array([pair[2:] for pair in pairs], dtype=np.float64).reshape(-1, 2),
    )


def _kind(kind: Mapping[str, Any], winner: str) -> Kind:
    return Kind(
        name=kind["name"],
        error=float(kind["error"]),
        fold_errors=tuple(kind.get("fold_errors", ())),
        is_winner=kind["name"] == winner,
    )


def _limits(limits: Any) -> tuple[float, float]:
    low, high = limits or (None, None)
    return _number(low), _number(high)


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
