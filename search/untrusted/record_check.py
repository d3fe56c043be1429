"""Whether the events of a run agree with one another, as those of every run that was written do.

What a text editor, a merge or a second writer does to a record is found here: a line that is lost,
doubled, out of order or edited. A score alone that was edited contradicts nothing and is not found.
"""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

_KEYS: Mapping[str, tuple[str, ...]] = {
    "asked": ("first", "patterns"),
    "settled": ("trial", "spent"),
    "searched": ("reason", "spent", "llm"),
    "final": ("pattern", "replicate", "outcome"),
    "finished": ("reason", "spent", "llm"),
    "failed": ("reason",),
}
_ROUNDING = 1e-9


class _Contradiction(Exception):
    """What is wrong with an event."""


def find_contradiction(
    events: Sequence[Any], read_trial: Callable[[Mapping[str, Any]], object]
) -> tuple[int, str] | None:
    """The number of the first line that contradicts those before it, from 1, and what is wrong.

    `read_trial` raises for a trial that it cannot read.
    """
    state = _State(read_trial)
    for number, event in enumerate(events, start=1):
        try:
            state.take(event)
        except _Contradiction as error:
            return number, str(error)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            return number, f"no event as it is written: {type(error).__name__}: {error}"
    return None


class _State:
    """What the events so far say: patterns asked by index, trials settled, what is spent."""

    def __init__(self, read_trial: Callable[[Mapping[str, Any]], object]) -> None:
        self._read_trial = read_trial
        self._asked: list[str] = []
        self._num_settled = 0
        self._spent = 0.0

    def take(self, event: Any) -> None:
        """One more event; raises where it contradicts."""
        if not isinstance(event, dict) or not isinstance(event.get("event"), str):
            raise _Contradiction("an event is an object that says which `event` it is")
        kind = event["event"]
        if missing := [key for key in _KEYS.get(kind, ()) if key not in event]:
            raise _Contradiction(f"an event `{kind}` says `{missing[0]}`")
        _check_numbers("measured", event.get("measured", {}))
        if kind == "asked":
            self._ask(event)
        elif kind == "settled":
            self._settle(event)
        if "spent" in event:
            self._spend(float(event["spent"]))

    def _ask(self, event: Mapping[str, Any]) -> None:
        if event["first"] != self._num_settled:
            raise _Contradiction(
                f"asked from trial {event['first']} on, with {self._num_settled} trials settled"
            )
        if len(self._asked) > self._num_settled:
            raise _Contradiction(f"asked again before trial {len(self._asked) - 1} is settled")
        self._asked += event["patterns"]

    def _settle(self, event: Mapping[str, Any]) -> None:
        trial = event["trial"]
        self._read_trial(trial)
        index, pattern, score = trial["index"], trial["pattern"], trial["score"]
        if index != self._num_settled:
            raise _Contradiction(f"trial {self._num_settled} is due, got trial {index}")
        if index >= len(self._asked):
            raise _Contradiction(f"trial {index} was never asked")
        asked = self._asked[index]
        if pattern != asked and not _is_cut_from(asked, pattern):
            raise _Contradiction(f"{asked!r} was asked, {pattern[:200]!r} is settled")
        if (trial["status"] == "ok" and score is None) or not isfinite(score or 0.0):
            raise _Contradiction(f"a trial that is {trial['status']} with score {score}")
        if not isinstance(trial["details"], dict) or not isinstance(trial["metrics"], dict):
            raise _Contradiction("`details` and `metrics` of a trial must go by name")
        if not 0 < trial.get("fidelity", 1) <= 1:
            raise _Contradiction(
                f"the fidelity of a trial must be up to 1, got {trial['fidelity']}"
            )
        _check_numbers("cost", trial["cost"], least=0.0)
        _check_numbers("llm", trial["llm"] or {}, least=0.0)
        self._num_settled += 1

    def _spend(self, spent: float) -> None:
        if not spent >= self._spent * (1 - _ROUNDING):
            raise _Contradiction(f"{self._spent:g} was spent before, {spent:g} now")
        self._spent = spent


def _check_numbers(name: str, values: Any, least: float | None = None) -> None:
    """Numbers by name, none infinite; costs are not negative either."""
    if not isinstance(values, dict):
        raise _Contradiction(f"`{name}` must be numbers by name")
    for key, value in values.items():
        if not isfinite(value) or (least is not None and value < least):
            raise _Contradiction(f"`{name}` has {value} as {key}")


def _is_cut_from(asked: str, pattern: str) -> bool:
    """What was asked is noted by its first signs where it is long."""
    return asked.endswith("...") and pattern.startswith(asked.removesuffix("..."))
