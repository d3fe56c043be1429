"""Every searcher beside itself under a control of the harness, seed by seed: paired differences.

Permuted letters: the proxy saw true patterns, the searcher saw each letter under the name of
another. For one that knows letters only by their place in the alphabet nothing has changed, so the
paired difference should be nothing but noise; a language model that knows what the letters stand
for is misled.

Seeded: the searcher was told the hand-made patterns first, at its own cost. Who gains by that began
with less knowledge than it could have had. An agent, which may know such patterns by heart, is also
held against the seeded twins of the others: what it leads them by is no head start.

Each difference has the exact paired test of the ranking, corrected over the controls of its kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nasarena.figures.results.standings import Standings
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.intervals import Interval, interval
from nasarena.figures.stats.multiple import Comparison, compare_pairs
from nasarena.search.seeding import stream

SEEDED = "with the hand-made patterns told first"


@dataclass(frozen=True, slots=True)
class PairedControl:
    """A searcher `real` and its `control`; `pair` is real less control on the deciding score.

    `seeds` holds (seed, score of the real thing, score of the control); `score` is the control's.
    """

    control: str
    real: str
    score: Interval
    pair: Comparison
    seeds: tuple[tuple[int, float, float], ...]


def has_control(tables: Tables, kind: str) -> bool:
    """Whether any searcher was run under this control."""
    return not tables.controls.empty and kind in set(tables.controls["control"])


def letter_controls(tables: Tables, standing: Standings) -> list[PairedControl]:
    """Every searcher that was run behind permuted letters."""
    return _paired_controls(tables, standing, "permuted_letters")


def seeded_controls(tables: Tables, standing: Standings) -> list[PairedControl]:
    """Every searcher that was told the hand-made patterns first."""
    return _paired_controls(tables, standing, "seeded")


def agents_against_seeded(tables: Tables, standing: Standings) -> list[Comparison]:
    """Each agent as it is, less the seeded twin of each searcher without a language model.

    Corrected over these comparisons alone, in order of the standings.
    """
    uses_llm = dict(zip(tables.runs["searcher"], tables.runs["uses_llm"], strict=True))
    twins = [each for each in seeded_controls(tables, standing) if not uses_llm[each.real]]
    agents = [place.searcher for place in standing.places if uses_llm[place.searcher]]
    own = {each.control: [score for _, _, score in each.seeds] for each in twins}
    pairs = [(agent, each.control) for agent in agents for each in twins]
    return compare_pairs(pairs, {**standing.scores, **own}, standing.rope) if pairs else []


def _paired_controls(tables: Tables, standing: Standings, kind: str) -> list[PairedControl]:
    """Every control that has its real thing on all seeds, in order of the standings."""
    if not has_control(tables, kind):
        return []
    controls = tables.controls[tables.controls["control"] == kind]
    column = "final" if standing.is_final else "best_search"
    blinded = controls.pivot(index="seed", columns="searcher", values=column)
    real_of = controls.drop_duplicates("searcher").set_index("searcher")["real"]
    place = {each.searcher: number for number, each in enumerate(standing.places)}
    names = sorted(map(str, blinded.columns), key=lambda name: (place[real_of[name]], name))
    own = {name: blinded[name].astype(float).tolist() for name in names}
    pairs = [(str(real_of[name]), name) for name in names]
    found = compare_pairs(pairs, {**standing.scores, **own}, standing.rope)
    return [
        PairedControl(
            control=pair.second,
            real=pair.first,
            score=interval(own[pair.second], stream(0, "bootstrap", pair.second, "score")),
            pair=pair,
            seeds=tuple(
                zip(tables.seeds, standing.scores[pair.first], own[pair.second], strict=True)
            ),
        )
        for pair in found
    ]


def in_words(controls: Sequence[PairedControl], how: str = "behind permuted letters") -> str:
    """How many searchers lost, gained, or were shown to lose nothing that counts."""
    lost = [each.real for each in controls if each.pair.is_significant and each.pair.favours_first]
    gained = [
        each.real for each in controls if each.pair.is_significant and not each.pair.favours_first
    ]
    same = sum(each.pair.is_equivalent for each in controls)
    words = [
        f"{len(lost)} of {len(controls)} searchers did worse {how}"
        + (f" ({', '.join(lost)})" if lost else "")
    ]
    if gained:
        words.append(f"{len(gained)} did better ({', '.join(gained)})")
    if same:
        words.append(f"for {same} the difference was shown to be within the noise of a re-training")
    return "; ".join(words) + "."
