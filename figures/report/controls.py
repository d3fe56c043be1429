"""Controls beside the real thing: the same searcher, blinded in one way, on the same seeds.

An agent blinds itself: its option `control` is other than `none`, it is ranked like everyone, and
the real thing is the searcher of the same name whose other options are equal. Any searcher can be
put behind permuted letters by the harness, or be told the hand-made patterns first
(`paired_controls.py`); such runs are never ranked. What is left of the advantage over random search
under a control does not come from what was withheld.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.paired_controls import PairedControl
from nasarena.figures.stats.intervals import Interval
from nasarena.figures.stats.multiple import Comparison

WITHHELD = {
    "shuffled_scores": "which score belongs to which pattern",
    "anonymous_letters": "what the letters mean, and which is which",
    "no_history": "every earlier trial",
    "permuted_letters": "which letter is which: each is shown under the name of another",
    "seeded": "nothing: the hand-made patterns were told first, at its own cost",
}


@dataclass(frozen=True, slots=True)
class Blinded:
    """One control, `searcher`. `pair` is `real` less it; None where the real one is missing.

    `seeds` holds (seed, score of the real thing, score of the control), the score that decides.
    """

    control: str
    withheld: str
    searcher: str
    score: Interval
    real: str = ""
    real_score: Interval | None = None
    pair: Comparison | None = None
    seeds: tuple[tuple[int, float, float], ...] = ()

    @property
    def num_ahead(self) -> int:
        """Seeds on which the real thing did better."""
        return sum(real > blinded for _, real, blinded in self.seeds)


def controls(analysis: Analysis) -> list[Blinded]:
    """Every control: agents that blind themselves by name, the others by standing."""
    standing, seeds = analysis.standings, analysis.tables.seeds
    places = {place.searcher: place for place in standing.places}
    settings = {
        run.searcher: {**run.record.config["searcher"], "llm": run.record.config.get("llm")}
        for run in analysis.runs
        if run.searcher in places
    }
    found = []
    for name in sorted(settings):
        control = _control(settings[name])
        if control == "none":
            continue
        blinded = Blinded(control, WITHHELD.get(control, control), name, places[name].score)
        real = next((r for r in settings if _is_real(settings[r], settings[name])), None)
        if real is not None:
            scores = zip(seeds, standing.scores[real], standing.scores[name], strict=True)
            pair = standing.pair(real, name)
            blinded = replace(
                blinded, real=real, real_score=places[real].score, pair=pair, seeds=tuple(scores)
            )
        found.append(blinded)
    scores_of = {name: place.score for name, place in places.items()}
    kinds = {"permuted_letters": analysis.letter_controls, "seeded": analysis.seeded_controls}
    return found + [_paired(kind, each, scores_of) for kind in kinds for each in kinds[kind]]


def _paired(kind: str, each: PairedControl, scores: Mapping[str, Interval]) -> Blinded:
    return Blinded(
        control=kind,
        withheld=WITHHELD[kind],
        searcher=each.control,
        score=each.score,
        real=each.real,
        real_score=scores[each.real],
        pair=each.pair,
        seeds=each.seeds,
    )


def _is_real(candidate: Mapping[str, Any], control: Mapping[str, Any]) -> bool:
    return (
        candidate["name"] == control["name"]
        and candidate["llm"] == control["llm"]
        and _control(candidate) == "none"
        and _others(candidate) == _others(control)
    )


def _control(searcher: Mapping[str, Any]) -> str:
    return str((searcher.get("options") or {}).get("control") or "none")


def _others(searcher: Mapping[str, Any]) -> dict[str, Any]:
    options = searcher.get("options") or {}
    return {key: value for key, value in options.items() if key != "control"}
