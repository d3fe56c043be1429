"""What a table of losses at scale says: laws, parabolas at equal FLOPs, tests at equal tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd

from nasarena.figures.results.scaling import ScalingTable
from nasarena.figures.stats.intervals import Floats, Interval
from nasarena.figures.stats.isoflop import (
    MIN_BUDGETS,
    MIN_SIZES,
    ParabolaFrontier,
    fit_frontier,
    fit_parabola,
)
from nasarena.figures.stats.multiple import Comparison, compare_all, compare_to
from nasarena.figures.stats.scaling_cells import Cells, make_cells, resample
from nasarena.figures.stats.scaling_intervals import NUM_REPEATS, LawStudy, study_laws
from nasarena.figures.stats.scaling_law import Noise, Sharing, refusal_of
from nasarena.search.errors import InvalidSetting
from nasarena.search.seeding import stream


@dataclass(frozen=True, slots=True)
class ScalingOptions:
    """How laws are fitted: what is shared, the noise, whose seeds are drawn together, repeats.

    `budgets_together`: losses of one architecture, size and seed err together, as they do where
    budgets branch off one training (the schedule of `nasarena scale`).
    """

    sharing: Sharing = "floor"
    noise: Noise = "equal"
    budgets_together: bool = True
    num_repeats: int = NUM_REPEATS


@dataclass(frozen=True, slots=True)
class EqualTokens:
    """Architectures of one size on equally many tokens; `losses` are nats by label and seed.

    `comparisons` are of scores, the negative losses, on the seeds that all have: a positive
    difference is a lower loss of the first. `parameters` is the least and the largest N.
    """

    size: str
    tokens: float
    losses: Mapping[str, Mapping[int, float]]
    seeds: tuple[int, ...]
    comparisons: tuple[Comparison, ...]
    parameters: tuple[float, float]

    def mean(self, label: str) -> float:
        """Mean loss over all its seeds."""
        return float(np.mean(list(self.losses[label].values())))


@dataclass(frozen=True, slots=True)
class ScalingStudy:
    """All of it. `laws` is None, `parabolas` and `equal_tokens` empty where data do not allow them;
    `not_shown` then says why.
    """

    table: ScalingTable
    options: ScalingOptions
    laws: LawStudy | None
    parabolas: Mapping[str, ParabolaFrontier] = field(repr=False)
    equal_tokens: tuple[EqualTokens, ...] = field(repr=False)
    not_shown: tuple[str, ...]
    reference: str | None = None

    def law_number(self, label: str) -> int | None:
        """Its place in `laws`; None where it has no law."""
        names = self.laws.laws.names if self.laws else ()
        return names.index(label) if label in names else None

    def flops_per_product(self, label: str) -> float:
        """FLOPs / (N x D) of an architecture, the geometric mean over its rows; 6 in the books."""
        own = self.table.rows[self.table.rows["label"] == label]
        return float(np.exp(np.log(own["flops"] / own["params"] / own["tokens"]).mean()))


def study(
    table: ScalingTable, options: ScalingOptions | None = None, reference: str | None = None
) -> ScalingStudy:
    """Work out a table; at equal tokens all are compared with `reference`, or all with all.

    Raises InvalidSetting for a reference that the table does not have.
    """
    options = options or ScalingOptions()
    gaps = _gaps(table)
    if reference in set(table.without["label"]) - set(table.labels):
        gaps.append(f"the reference {reference} has no loss: all are compared with all")
        reference = None
    if reference is not None and reference not in table.labels:
        raise InvalidSetting(
            f"reference must be one of {', '.join(table.labels)}, got {reference!r}"
        )
    laws = _laws(table, options, gaps)
    parabolas = _parabolas(table, options, gaps)
    tokens = tuple(_equal_tokens(table, reference))
    return ScalingStudy(table, options, laws, parabolas, tokens, tuple(gaps), reference)


def pairs_of(laws: LawStudy) -> list[tuple[int, int]]:
    """Every pair of architectures that have a law."""
    return list(combinations(range(len(laws.laws.names)), 2))


def parabola_interval(frontier: ParabolaFrontier, place: int) -> Interval:
    """Allocation (0) or slope (1) of a frontier through optima, with percentiles of its repeats."""
    estimate = (frontier.allocation, frontier.slope)[place]
    repeats = frontier.repeats[:, place]
    known = repeats[np.isfinite(repeats)]
    if len(known) < max(20, len(repeats) / 2):
        return Interval(estimate, float("nan"), float("nan"))
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(estimate, float(low), float(high))


def cells_of(rows: pd.DataFrame, options: ScalingOptions) -> Cells:
    """Rows of a table as cells."""
    numbers = rows[["params", "tokens", "loss"]].to_numpy(dtype=np.float64)
    seeds = rows["seed"].to_numpy(dtype=np.int64)
    return make_cells(
        rows["label"].tolist(), numbers[:, 0], numbers[:, 1], seeds, numbers[:, 2],
        options.budgets_together,
    )  # fmt: skip


def _gaps(table: ScalingTable) -> list[str]:
    """Rows without a loss, in words."""
    counts = table.without["status"].value_counts().sort_index()
    return [
        f"{count} rows have no loss: {status or 'no status'}" for status, count in counts.items()
    ]


def _laws(table: ScalingTable, options: ScalingOptions, gaps: list[str]) -> LawStudy | None:
    """The joint fit of every architecture that has cells enough."""
    rows = table.rows
    refusals = {
        label: words
        for label in table.labels
        if (words := refusal_of(cells_of(rows[rows["label"] == label], options), 0))
    }
    if len(refusals) == len(table.labels):
        others = ", and neither has any other architecture" if len(refusals) > 1 else ""
        gaps.append(f"{next(iter(refusals.values()))}{others}")
        return None
    gaps.extend(refusals.values())
    rows = rows[~rows["label"].isin(refusals)]
    rng = stream(0, "scaling laws", table.data_hash)
    return study_laws(
        cells_of(rows, options), rng, options.sharing, options.noise, options.num_repeats
    )


def _parabolas(
    table: ScalingTable, options: ScalingOptions, gaps: list[str]
) -> dict[str, ParabolaFrontier]:
    """The frontier of every architecture with parabolas at two budgets or more."""
    found = {}
    for label in table.labels:
        rows = table.rows[table.rows["label"] == label]
        cells = cells_of(rows, options)
        rng = stream(0, "parabolas", table.data_hash, label)
        count = options.num_repeats if cells.has_seeds else 0  # single seeds have no deviations
        drawn = np.vstack([cells.means, resample(cells, cells.means, rng, count)])
        budget = _budget_of(cells, rows)
        chosen = {
            value: budget == value
            for value in np.unique(budget)
            if (budget == value).sum() >= MIN_SIZES
        }
        usable = {
            value: own
            for value, own in chosen.items()
            if fit_parabola(value, cells.params[own], cells.means[own]).curvature > 0
        }
        if missing := len(chosen) - len(usable):
            budgets = "budget" if missing == 1 else "budgets"
            gaps.append(f"{label}: {missing} {budgets} where no parabola has a bottom")
        if len(usable) >= MIN_BUDGETS:
            found[label] = fit_frontier(
                list(usable),
                [cells.params[own] for own in usable.values()],
                [drawn[:, own] for own in usable.values()],
            )
    return found


def _budget_of(cells: Cells, rows: pd.DataFrame) -> Floats:
    """The budget of each cell, `(C,)`."""
    known = {
        (params, tokens): budget
        for params, tokens, budget in rows[["params", "tokens", "budget"]].itertuples(index=False)
    }
    return np.array([known[key] for key in zip(cells.params, cells.tokens, strict=True)])


def _equal_tokens(table: ScalingTable, reference: str | None) -> list[EqualTokens]:
    """Every size and number of tokens on which two architectures or more were trained."""
    found = []
    for (size, tokens), rows in table.rows.groupby(["size", "tokens"], sort=False):
        losses = {
            str(label): dict(zip(own["seed"], own["loss"], strict=True))
            for label, own in rows.groupby("label", sort=False)
        }
        if len(losses) < 2:
            continue
        seeds = sorted(set.intersection(*(set(own) for own in losses.values())))
        scores = {label: [-own[seed] for seed in seeds] for label, own in losses.items()}
        comparisons: list[Comparison] = []
        if len(seeds) > 1:
            has_reference = reference is not None and reference in scores
            comparisons = (
                compare_to(scores, str(reference)) if has_reference else compare_all(scores)
            )
        limits = float(rows["params"].min()), float(rows["params"].max())
        found.append(
            EqualTokens(
                str(size), float(str(tokens)), losses, tuple(seeds), tuple(comparisons), limits
            )
        )
    return sorted(found, key=lambda each: (each.parameters[0], each.tokens))
