"""Controls beside the real thing: the same agent, blinded in one way, on the same seeds.

A run is a control when its searcher has an option `control` other than `none`; the real thing is
the searcher of the same name whose other options are equal. What is left of the advantage over
random search under a control does not come from what was withheld.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nasarena.figures.admission import Run
from nasarena.figures.frame import Frames
from nasarena.figures.standings import Standing, Standings
from nasarena.figures.stats.multiple import Comparison

WITHHELD = {
    "shuffled_scores": "which score belongs to which pattern",
    "anonymous_letters": "what the letters mean, and which is which",
    "no_history": "every earlier trial",
}


@dataclass(frozen=True, slots=True)
class Blinded:
    """One control. `pair` is `real` less the control; both None where the real one is missing.

    `seeds` holds (seed, score of the real thing, score of the control), the score that decides.
    """

    control: str
    withheld: str
    blinded: Standing
    real: Standing | None = None
    pair: Comparison | None = None
    seeds: tuple[tuple[int, float, float], ...] = ()

    @property
    def num_ahead(self) -> int:
        """Seeds on which the real thing did better."""
        return sum(real > blinded for _, real, blinded in self.seeds)


def controls(frames: Frames, standing: Standings, runs: Sequence[Run]) -> list[Blinded]:
    """Every control that was ranked, in order of its name."""
    places = {place.searcher: place for place in standing.places}
    settings = {
        run.searcher: run.record.config["searcher"] for run in runs if run.searcher in places
    }
    found = []
    for name in sorted(settings):
        control = _control(settings[name])
        if control == "none":
            continue
        blinded = Blinded(control, WITHHELD.get(control, control), places[name])
        real = next((r for r in settings if _is_real(settings[r], settings[name])), None)
        if real is not None:
            scores = zip(frames.seeds, standing.scores[real], standing.scores[name], strict=True)
            pair = standing.pair(real, name)
            blinded = replace(blinded, real=places[real], pair=pair, seeds=tuple(scores))
        found.append(blinded)
    return found


def _is_real(candidate: Mapping[str, Any], control: Mapping[str, Any]) -> bool:
    return (
        candidate["name"] == control["name"]
        and _control(candidate) == "none"
        and _others(candidate) == _others(control)
    )


def _control(searcher: Mapping[str, Any]) -> str:
    return str((searcher.get("options") or {}).get("control") or "none")


def _others(searcher: Mapping[str, Any]) -> dict[str, Any]:
    options = searcher.get("options") or {}
    return {key: value for key, value in options.items() if key != "control"}
