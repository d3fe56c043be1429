"""Does a proxy reproduce orders that were published at scale?

For every pair of patterns with a published order: the mean difference of their scores over paired
seeds, better less worse, with a 95 % interval. The noise is pooled over all patterns of a matching,
since a few seeds alone say little about it. An interval above 0 reproduces the order, one below
reverses it, and one that holds 0 leaves it undecided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from nasarena.figures.stats.intervals import Floats, student_quantile

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class PublishedOrder:
    """`better` was published to be better than `worse`; names of patterns of `comparison`."""

    comparison: str
    matching: str
    better: str
    worse: str


@dataclass(frozen=True, slots=True)
class JudgedOrder:
    """What the proxy says: `difference` above 0 agrees; `low` and `high` are its limits."""

    order: PublishedOrder
    difference: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """reproduced, reversed or undecided."""
        if self.low > 0 or (self.low == self.high and self.difference > 0):
            return "reproduced"
        return "reversed" if self.high < 0 else "undecided"


@dataclass(frozen=True, slots=True)
class AnchorSummary:
    """Of all orders of a matching: `agreeing` have the published sign, the rest is by interval.

    `low` and `high` are 95 % limits of the share that agrees (Clopper and Pearson), as if the
    orders were independent, which pairs of one comparison are not.
    """

    matching: str
    orders: int
    agreeing: int
    reproduced: int
    reversed: int
    low: float
    high: float


Scores = Mapping[tuple[str, str], Mapping[str, Sequence[float]]]  # (comparison, matching), name


def judge_orders(orders: Sequence[PublishedOrder], scores: Scores) -> list[JudgedOrder]:
    """Every order by the scores of its patterns, one a seed; a pattern that failed has none."""
    judged = []
    for matching in dict.fromkeys(order.matching for order in orders):
        variance, freedom = _noise({key: of for key, of in scores.items() if key[1] == matching})
        for order in (one for one in orders if one.matching == matching):
            known = scores[order.comparison, matching]
            better, worse = (np.asarray(known[name]) for name in (order.better, order.worse))
            if not (np.isfinite(better).all() and np.isfinite(worse).all()):
                judged.append(JudgedOrder(order, float("nan"), float("nan"), float("nan")))
                continue
            difference = float((better - worse).mean())
            error = float(np.sqrt(2 * variance / len(better)))
            width = error * student_quantile(freedom, CONFIDENCE) if error else 0.0
            judged.append(JudgedOrder(order, difference, difference - width, difference + width))
    return judged


def summarize_orders(judged: Sequence[JudgedOrder]) -> list[AnchorSummary]:
    """A line for each matching."""
    found = []
    for matching in dict.fromkeys(one.order.matching for one in judged):
        own = [one for one in judged if one.order.matching == matching]
        agreeing = sum(one.difference > 0 for one in own)
        low, high = _share_limits(agreeing, len(own))
        verdicts = [one.verdict for one in own]
        found.append(
            AnchorSummary(
                matching,
                len(own),
                agreeing,
                verdicts.count("reproduced"),
                verdicts.count("reversed"),
                low,
                high,
            )
        )
    return found


def anchors_markdown(judged: Sequence[JudgedOrder], proxy: str) -> str:
    """The summary in sentences, then a row for each order."""
    lines = [f"# {proxy} and what was published at scale", ""]
    for one in summarize_orders(judged):
        lines.append(
            f"- Matched in {one.matching}: {one.agreeing} of {one.orders} published orders have "
            f"the same sign ({one.low:.0%} to {one.high:.0%}); {one.reproduced} reproduced and "
            f"{one.reversed} reversed beyond the noise of training."
        )
    lines += ["", "| comparison | matched in | better | worse | difference | 95 % | verdict |"]
    lines.append("|---|---|---|---|---|---|---|")
    for each in judged:
        order = each.order
        lines.append(
            f"| {order.comparison} | {order.matching} | {order.better} | {order.worse} "
            f"| {each.difference:+.4f} | {each.low:+.4f} to {each.high:+.4f} | {each.verdict} |"
        )
    return "\n".join(lines) + "\n"


def _noise(scores: Scores) -> tuple[float, int]:
    """Variance of one training, pattern and seed of each comparison removed; its freedom."""
    squares, freedom = 0.0, 0
    for of_comparison in scores.values():
        table: Floats = np.array([row for row in of_comparison.values() if np.isfinite(row).all()])
        if min(table.shape, default=0) < 2:
            continue
        residuals = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
        squares += float((residuals**2).sum())
        freedom += (table.shape[0] - 1) * (table.shape[1] - 1)
    return (squares / freedom if freedom else 0.0), freedom


def _share_limits(successes: int, trials: int) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    low = float(beta.ppf(tail, successes, trials - successes + 1)) if successes else 0.0
    high = float(beta.ppf(1 - tail, successes + 1, trials - successes))
    return low, 1.0 if successes == trials else high
