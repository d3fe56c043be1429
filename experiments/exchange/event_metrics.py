"""The events of a run as numbers over trials, which every tracker shows.

Each name is a curve. A trial that has no score (it failed, or is no pattern) leaves a gap in
`score`; `best_score` is there from the first full score on. `final_score` counts re-trainings and
not trials.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nasarena.search.incumbent import takes_over
from nasarena.search.run_folder import Event
from nasarena.search.trial import Cost, Trial


@dataclass(frozen=True, slots=True)
class Row:
    """Numbers by name at a step; `at_s` are the seconds since a process took up the run."""

    step: int
    at_s: float
    values: Mapping[str, float]


class EventMetrics:
    """Takes the events of one run in their order."""

    def __init__(self) -> None:
        self._best: float | None = None
        self._cost = Cost()
        self._num_finals = 0
        self._statuses = dict.fromkeys(("failed", "invalid", "duplicate"), 0)
        self._llm = dict.fromkeys(("llm_calls", "llm_tokens"), 0.0)

    def take(self, event: Event) -> Row | None:
        """What there is to show after an event, if anything."""
        at_s = float(event.get("measured", {}).get("at_s", 0.0))
        kind = event["event"]
        if kind == "settled":
            trial = Trial.from_json(event["trial"])
            return Row(trial.index, at_s, self._trial_values(trial, float(event["spent"])))
        if kind == "final":
            self._num_finals += 1
            score = event["outcome"]["score"]
            values = {} if score is None else {"final_score": float(score)}
            return Row(self._num_finals - 1, at_s, values) if values else None
        return None

    def _trial_values(self, trial: Trial, spent: float) -> dict[str, float]:
        if takes_over(trial, self._best):
            self._best = trial.score
        if trial.status in self._statuses:
            self._statuses[trial.status] += 1
        if trial.llm is not None:
            self._llm["llm_calls"] += trial.llm.calls
            self._llm["llm_tokens"] += trial.llm.prompt_tokens + trial.llm.completion_tokens
        self._cost += trial.cost
        values: dict[str, Any] = {
            "score": trial.score,
            "best_score": self._best,
            "spent": spent,
            "flops": self._cost.flops,
            "tokens": self._cost.tokens,
            "device_seconds": self._cost.device_seconds,
            **{f"trials_{name}": count for name, count in self._statuses.items()},
            **(self._llm if any(self._llm.values()) else {}),
            **{f"metrics/{name}": value for name, value in trial.metrics.items()},
        }
        return {name: float(value) for name, value in values.items() if value is not None}
