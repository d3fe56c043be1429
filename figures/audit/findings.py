"""What the scores of an audit say: noise, agreement along every axis, regret, seeds needed.

The tidy frame has one row for each training: `axis`, `level`, `pattern`, `seed`, `score` (missing
where it failed). The proxy as it is stands on the axis `seeds`. Along another axis the proxy picks
by one training, as a searcher does (every seed in turn, averaged), and the mean over the level's
seeds is believed; among seeds, each picks and another, for regret the mean of all others, is
believed; among tasks, one task picks and the mean of the other tasks is believed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pandas as pd

from nasarena.figures.stats.agreement import residual_noise
from nasarena.figures.stats.intervals import Floats, Interval
from nasarena.figures.stats.reliability import icc_interval, seeds_to_see, spreads
from nasarena.figures.stats.transfer import (
    UNKNOWN,
    Agreement,
    Pair,
    agreement,
    kendall,
    random_regret,
    regret_at,
)
from nasarena.search.errors import ProxyFailed
from nasarena.search.seeding import stream

TOP_SHARE = 0.1
_MIN_PATTERNS = 3


@dataclass(frozen=True, slots=True)
class Noise:
    """What one score is made of: standard deviations due to the pattern and to the seed.

    `sd_paired` is the noise that is left between searchers on paired seeds.
    """

    num_patterns: int
    num_failed: int
    num_seeds: int
    icc: Interval
    sd_pattern: float
    sd_seed: float
    sd_paired: float


@dataclass(frozen=True, slots=True)
class Transfer:
    """One level: does what the proxy says of patterns hold there?

    `best` is the agreement within the best tenth; `averaged` is Kendall's tau of the mean over the
    proxy's seeds. `regret[k]` and `chance[k]` (k picked at random) are in standard deviations of
    the patterns' scores on the level. NaN throughout where too few patterns could be trained.
    """

    axis: str
    level: str
    num_patterns: int
    num_failed: int
    num_seeds: int
    whole: Agreement
    best: Agreement
    averaged: float
    regret: Mapping[int, float]
    chance: Mapping[int, float]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Needed:
    """Paired seeds that show a gap: between two patterns, and between two runs' final scores."""

    gap_in_sd: float
    gap: float
    between_patterns: int | None
    between_runs: int | None


@dataclass(frozen=True, slots=True)
class Findings:
    """All of an audit; the first transfer is that between seeds."""

    noise: Noise
    transfers: list[Transfer]
    needed: list[Needed]
    trainings: int

    @property
    def seeds(self) -> Transfer:
        """What training again with another seed leaves of the ranks: a ceiling for the rest."""
        return self.transfers[0]


def findings(
    scores: pd.DataFrame, picks: Sequence[int], gaps: Sequence[float], trainings: int
) -> Findings:
    """Everything from the tidy frame; raises ProxyFailed for fewer than 3 patterns as it is."""
    own = whole_rows(scores, "seeds", "as it is")
    noise = _noise(scores, own)
    tasks = sorted(set(scores[scores["axis"] == "tasks"]["level"]))
    transfers = [_of_seeds(own, noise.num_failed, picks)]
    for axis, level in scores[["axis", "level"]].drop_duplicates().itertuples(index=False):
        if axis == "tasks":
            transfers.append(_of_task(scores, level, tasks, picks))
        elif axis != "seeds":
            transfers.append(_of_level(scores, own, axis, level, picks))
    needed = [_sample_size(gap, noise, trainings) for gap in gaps]
    return Findings(noise, transfers, needed, trainings)


def whole_rows(scores: pd.DataFrame, axis: str, level: str) -> pd.DataFrame:
    """Scores of one level, patterns by seeds, without patterns that failed on a seed."""
    rows = scores[(scores["axis"] == axis) & (scores["level"] == level)]
    table = rows.pivot_table(index="pattern", columns="seed", values="score", dropna=False)
    order = list(dict.fromkeys(rows["pattern"]))
    return table.reindex(order).dropna().astype(float)


def _noise(scores: pd.DataFrame, own: pd.DataFrame) -> Noise:
    rows = scores[scores["axis"] == "seeds"]
    num_patterns = rows["pattern"].nunique()
    if len(own) < _MIN_PATTERNS:
        notes = [str(note) for note in rows["note"].dropna() if note]
        raise ProxyFailed(
            f"only {len(own)} of {num_patterns} patterns could be trained on all seeds, at least "
            f"{_MIN_PATTERNS} are needed; the last failure: {notes[-1] if notes else 'none'}"
        )
    matrix = own.to_numpy()
    sd_pattern, sd_seed = spreads(matrix)
    return Noise(
        num_patterns=len(own),
        num_failed=num_patterns - len(own),
        num_seeds=matrix.shape[1],
        icc=icc_interval(matrix),
        sd_pattern=sd_pattern,
        sd_seed=sd_seed,
        sd_paired=residual_noise(matrix),
    )


def _of_seeds(own: pd.DataFrame, num_failed: int, picks: Sequence[int]) -> Transfer:
    columns = list(own.to_numpy().T)
    others = [
        (x, np.mean([y for j, y in enumerate(columns) if j != i], axis=0))
        for i, x in enumerate(columns)
    ]
    pairs = list(permutations(columns, 2))
    return _transfer("seeds", "another seed", pairs, others, None, num_failed, 1, picks)


def _of_level(
    scores: pd.DataFrame, own: pd.DataFrame, axis: str, level: str, picks: Sequence[int]
) -> Transfer:
    there = whole_rows(scores, axis, level)
    rows = scores[(scores["axis"] == axis) & (scores["level"] == level)]
    common = own.index.intersection(there.index, sort=False)
    num_failed = rows["pattern"].nunique() - len(common)
    if len(common) < _MIN_PATTERNS:
        notes = [str(note) for note in rows["note"].dropna() if note]
        return _unknown(axis, level, len(common), num_failed, notes[-1] if notes else "")
    believed = there.loc[common].to_numpy().mean(axis=1)
    picking = own.loc[common].to_numpy()
    pairs = [(x, believed) for x in picking.T]
    averaged = kendall(picking.mean(axis=1), believed)
    num_seeds = there.shape[1]
    return _transfer(axis, level, pairs, pairs, averaged, num_failed, num_seeds, picks)


def _of_task(
    scores: pd.DataFrame, level: str, tasks: Sequence[str], picks: Sequence[int]
) -> Transfer:
    tables = {task: whole_rows(scores, "tasks", task) for task in tasks}
    own = tables.pop(level)
    others: Floats = np.mean([table.to_numpy() for table in tables.values()], axis=0)
    believed = others.mean(axis=1)
    pairs = [(x, believed) for x in own.to_numpy().T]
    averaged = kendall(own.to_numpy().mean(axis=1), believed)
    failed = scores[scores["axis"] == "tasks"]["pattern"].nunique() - len(own)
    return _transfer("tasks", level, pairs, pairs, averaged, failed, own.shape[1], picks)


def _transfer(
    axis: str,
    level: str,
    pairs: Sequence[Pair],
    picking: Sequence[Pair],
    averaged: float | None,
    num_failed: int,
    num_seeds: int,
    picks: Sequence[int],
) -> Transfer:
    """`pairs` are compared by rank; `picking` pairs whoever picks with what is believed."""
    spread = float(np.mean([y.std(ddof=1) for _, y in picking])) or 1.0
    chances = {k: float(np.mean([random_regret(y, k) for _, y in picking])) for k in picks}
    return Transfer(
        axis=axis,
        level=level,
        num_patterns=len(pairs[0][0]),
        num_failed=num_failed,
        num_seeds=num_seeds,
        whole=agreement(pairs, stream(0, "audit", axis, level)),
        best=agreement(pairs, stream(0, "audit", axis, level, "best"), TOP_SHARE),
        averaged=float("nan") if averaged is None else averaged,
        regret={k: regret_at(picking, k) / spread for k in picks},
        chance={k: chance / spread for k, chance in chances.items()},
    )


def _unknown(axis: str, level: str, num_patterns: int, num_failed: int, note: str) -> Transfer:
    nothing = Agreement(UNKNOWN, UNKNOWN, num_patterns)
    return Transfer(
        axis, level, num_patterns, num_failed, 0, nothing, nothing, float("nan"), {}, {}, note
    )


def _sample_size(gap_in_sd: float, noise: Noise, trainings: int) -> Needed:
    gap = gap_in_sd * noise.sd_pattern
    return Needed(
        gap_in_sd,
        gap,
        seeds_to_see(gap, noise.sd_paired),
        seeds_to_see(gap, noise.sd_paired, trainings),
    )
