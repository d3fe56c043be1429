"""The part of the report on literature: the same agent with cards, with a placebo, without.

Agents are the same where all their options but `literature` are equal. The best and the median run
stand beside one another, for a mode may lift the one and lower the other; the paired difference of
all seeds says whether anything is shown at all.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from nasarena.figures.results.analysis import Analysis
from nasarena.figures.stats.multiple import Comparison
from nasarena.search.run_folder import RunRecord

MODES = ("off", "on", "placebo")
DETAIL = "literature"  # where a proposal says which cards it was shown
_MOST_CARDS = 5  # that are named


@dataclass(frozen=True, slots=True)
class Shelf:
    """One agent in one mode: its runs, and which cards it was shown how often.

    `against_off` and `against_placebo` are this mode less that one, paired by seed; None where
    that mode is not in the comparison.
    """

    agent: str
    mode: str
    searcher: str
    best: float
    median: float
    num_proposals: int
    cards: tuple[tuple[str, int], ...]
    against_off: Comparison | None
    against_placebo: Comparison | None


@dataclass(frozen=True, slots=True)
class LiteraturePart:
    """The rows of the table, and the sentences above it."""

    shelves: list[Shelf]
    sentences: list[str]


def literature_part(analysis: Analysis) -> LiteraturePart | None:
    """Of all agents that take part in two modes or more; None without any."""
    shelves = _shelves(analysis)
    return LiteraturePart(shelves, _in_words(shelves)) if shelves else None


def _shelves(analysis: Analysis) -> list[Shelf]:
    """A row for each mode of each agent."""
    standing = analysis.standings
    records: dict[str, list[RunRecord]] = {}
    for run in analysis.runs:
        if run.searcher in standing.scores:
            records.setdefault(run.searcher, []).append(run.record)
    groups: dict[str, dict[str, str]] = {}
    for searcher, own in records.items():
        agent, mode = _agent_and_mode(own[0].config["searcher"])
        groups.setdefault(agent, {}).setdefault(mode, searcher)
    return [
        _shelf(analysis, agent, mode, by_mode, records[by_mode[mode]])
        for agent, by_mode in groups.items()
        if len(by_mode) > 1
        for mode in MODES
        if mode in by_mode
    ]


def _in_words(shelves: list[Shelf]) -> list[str]:
    """For each agent, whether the cards helped its best run and its median, beyond a placebo."""
    sentences = []
    for shelf in shelves:
        pair = shelf.against_placebo or shelf.against_off
        if shelf.mode != "on" or pair is None:
            continue
        other = next(s for s in shelves if s.searcher == pair.second and s.agent == shelf.agent)
        against = "cards of other fields" if other.mode == "placebo" else "no cards"
        best = _direction(shelf.best - other.best)
        middle = _direction(shelf.median - other.median)
        shown = "a significant difference" if pair.is_significant else "no significant difference"
        sentences.append(
            f"{shelf.searcher}: against {against} its best run is {best} and its median run "
            f"{middle}; over all seeds {shown} ({pair.difference}, p = {pair.p_holm:.2g})."
        )
    return sentences


def _shelf(
    analysis: Analysis, agent: str, mode: str, by_mode: Mapping[str, str], own: list[RunRecord]
) -> Shelf:
    standing = analysis.standings
    searcher = by_mode[mode]
    shown = [
        event["trial"]["details"].get(DETAIL, "")
        for record in own
        for event in record.of_kind("settled")
    ]
    cards = Counter(card for text in shown for card in str(text).split())
    scores = standing.scores[searcher]

    def against(other: str) -> Comparison | None:
        return standing.pair(searcher, by_mode[other]) if other in by_mode else None

    return Shelf(
        agent,
        mode,
        searcher,
        max(scores),
        median(scores),
        sum(bool(text) for text in shown),
        tuple(cards.most_common(_MOST_CARDS)),
        against("off") if mode != "off" else None,
        against("placebo") if mode == "on" else None,
    )


def _agent_and_mode(searcher: Mapping[str, Any]) -> tuple[str, str]:
    """What is equal in all modes, and the mode; whoever knows no modes reads nothing."""
    options = dict(searcher.get("options") or {})
    mode = options.pop(DETAIL, None) or MODES[0]
    return f"{searcher['name']} {sorted(options.items())}", str(mode)


def _direction(difference: float) -> str:
    if not difference:
        return "the same"
    return f"{'better' if difference > 0 else 'worse'} by {abs(difference):.4f}"
