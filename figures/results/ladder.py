"""Does a small ranking hold? Orders of architectures by cheap scores against losses up a ladder.

A rung is a size and a number of tokens (or, where tokens differ, of FLOPs) at which many
architectures were trained. What ranks them is a scorer: a proxy or a landscape, read from a table
with the columns `label`, `scorer` and `score` (higher is better); and the lowest rung itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from nasarena.figures.results.scaling import ScalingTable, read_frame, read_numbers
from nasarena.figures.stats.intervals import Interval
from nasarena.figures.stats.transfer import MIN_PATTERNS, Agreement, agreement, kendall, right_pairs
from nasarena.search.errors import InvalidSetting, nearest
from nasarena.search.seeding import stream

LOWEST = "lowest rung"
SCORE_COLUMNS = ("label", "scorer", "score")
_BEST_SHARE, _MIN_BEST = 0.1, 10  # among five of them an order says nothing
Scores = Mapping[str, Mapping[str, float]]  # by scorer and label


@dataclass(frozen=True, slots=True)
class Rung:
    """Losses in nats by label, means over seeds; `between_seeds` is Kendall's tau of two of them.

    One training ranks hardly better than another seed does: a scorer cannot agree with a single
    seed by more than that, though with their mean by a little more. NaN for one seed.
    """

    name: str
    flops: float
    losses: Mapping[str, float] = field(repr=False)
    between_seeds: float


@dataclass(frozen=True, slots=True)
class RungAgreement:
    """How far a scorer orders one rung, over all architectures and within the rung's best."""

    whole: Agreement
    best: Agreement
    right: Interval
    right_best: Interval


@dataclass(frozen=True, slots=True)
class Ladder:
    """Rungs from the least FLOPs up, and the agreement of each scorer with each of them."""

    rungs: tuple[Rung, ...]
    found: Mapping[str, Mapping[str, RungAgreement]] = field(repr=False)  # by scorer, rung name

    @property
    def scorers(self) -> list[str]:
        return list(self.found)


def read_scores(path: Path, labels: Sequence[str]) -> Scores:
    """Scores by scorer; labels that the losses do not have are left out.

    Raises InvalidSetting (one line) for a wrong table, or one whose labels are all unknown.
    """
    frame, _ = read_frame(path)
    for column in SCORE_COLUMNS:
        if column not in frame.columns:
            near = nearest(column, sorted(frame.columns))
            raise InvalidSetting(f"{path} must have a column {column!r}; {near}")
    values = read_numbers(frame["score"], path.name, positive=False)
    found: dict[str, dict[str, float]] = {}
    for label, scorer, score in zip(frame["label"], frame["scorer"], values, strict=True):
        if label in labels:
            found.setdefault(scorer, {})[label] = float(score)
    if not found:
        raise InvalidSetting(f"{path} must score labels of the losses, such as {labels[0]!r}")
    return found


def climb(table: ScalingTable, scores: Scores | None = None, num_repeats: int = 2_000) -> Ladder:
    """The agreement of every scorer with every rung; no rungs where too few were trained."""
    rungs = _rungs(table)
    scorers: dict[str, Mapping[str, float]] = dict(scores or {})
    if len(rungs) > 1:
        scorers[LOWEST] = {label: -loss for label, loss in rungs[0].losses.items()}
    found = {
        scorer: {
            rung.name: each
            for rung in (rungs[1:] if scorer == LOWEST else rungs)
            if (each := _agreement(scorer, own, rung, num_repeats)) is not None
        }
        for scorer, own in scorers.items()
    }
    return Ladder(tuple(rungs), {scorer: own for scorer, own in found.items() if own})


def _rungs(table: ScalingTable) -> list[Rung]:
    for amount in ("tokens", "budget"):
        rungs = [
            _rung(str(size), rows)
            for (size, _), rows in table.rows.groupby(["size", amount], sort=False)
            if rows["label"].nunique() >= MIN_PATTERNS
        ]
        if rungs:
            return _with_distinct_names(sorted(rungs, key=lambda rung: rung.flops))
    return []


def _rung(size: str, rows: pd.DataFrame) -> Rung:
    by_seed = rows.pivot_table(index="label", columns="seed", values="loss", sort=False)
    whole = by_seed.dropna()
    taus = [
        kendall(whole[first].to_numpy(dtype=float), whole[second].to_numpy(dtype=float))
        for place, first in enumerate(whole.columns)
        for second in whole.columns[:place]
    ]
    losses = {str(label): float(loss) for label, loss in by_seed.mean(axis=1).items()}
    flops = float(np.exp(np.log(rows["flops"]).mean()))
    return Rung(size, flops, losses, float(np.mean(taus)) if taus else float("nan"))


def _with_distinct_names(rungs: Sequence[Rung]) -> list[Rung]:
    """The size where it is one rung's alone, else the size and its FLOPs."""
    names = [rung.name for rung in rungs]
    return [
        Rung(
            rung.name if names.count(rung.name) == 1 else f"{rung.name}, {rung.flops:.2g} FLOPs",
            rung.flops,
            rung.losses,
            rung.between_seeds,
        )
        for rung in rungs
    ]


def _agreement(
    scorer: str, scores: Mapping[str, float], rung: Rung, num_repeats: int
) -> RungAgreement | None:
    """None where scorer and rung share too few architectures."""
    common = [label for label in rung.losses if label in scores]
    if len(common) < MIN_PATTERNS:
        return None
    pair = (
        np.array([scores[label] for label in common]),
        -np.array([rung.losses[label] for label in common]),
    )
    share = max(_BEST_SHARE, min(1.0, _MIN_BEST / len(common)))

    def rng(*role: str) -> np.random.Generator:
        return stream(0, "ladder", scorer, rung.name, *role)

    return RungAgreement(
        agreement([pair], rng("all"), num_repeats=num_repeats),
        agreement([pair], rng("best"), share, num_repeats),
        right_pairs(pair, rng("pairs"), num_repeats=num_repeats),
        right_pairs(pair, rng("best pairs"), share, num_repeats),
    )
