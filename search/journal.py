"""What a run has written down, played back first and then added to.

Every step of the loop goes through here. As long as the folder holds recorded events of a kind,
a step is checked against the record (a different ask raises ReplayDiverged) or answered from it;
after that it is appended. So the loop does not know whether it runs or resumes.
"""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nasarena.search.budget import Ledger
from nasarena.search.errors import ReplayDiverged
from nasarena.search.run_folder import Event, RunFolder
from nasarena.search.trial import Outcome, Proposal, Trial


class Journal:
    """Replays, then appends to, the events of one run folder."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._start = time.perf_counter()
        self._recorded: dict[str, deque[Event]] = {}
        for event in folder.events:
            self._recorded.setdefault(event["event"], deque()).append(event)
        folder.events = []  # so that what has been replayed takes no more memory
        self._trials = {
            event["trial"]["index"]: event["trial"] for event in self._recorded.get("settled", ())
        }
        self.is_finished = "finished" in self._recorded
        recommended = self._recorded.get("recommended")
        self.recommended: list[str] = list(recommended[0]["patterns"]) if recommended else []
        ends = [*self._recorded.get("finished", ()), *self._recorded.get("searched", ())]
        self._end: dict[str, Any] | None = (
            {key: ends[0][key] for key in ("reason", "spent", "llm")} if ends else None
        )

    @property
    def path(self) -> Path:
        """The run folder."""
        return self._folder.path

    @property
    def is_searched(self) -> bool:
        """Whether the search has come to its end, whatever became of its best patterns since."""
        return self._end is not None

    @property
    def search_spending(self) -> float:
        """What the search took from the budget; it must have ended."""
        assert self._end is not None
        return float(self._end["spent"])

    def num_recorded(self, kind: str) -> int:
        """How many events of a kind the record still holds unplayed."""
        return len(self._recorded.get(kind, ()))

    def replay(self, kind: str) -> Event | None:
        """The next recorded event of a kind, or None when the record has no more of it."""
        queue = self._recorded.get(kind)
        return queue.popleft() if queue else None

    def append(self, kind: str, measured: Mapping[str, Any] | None = None, **values: Any) -> None:
        """Write an event, with the seconds since this process took up the run."""
        at = {"at_s": round(time.perf_counter() - self._start, 6)}
        self._folder.append({"event": kind, **values, "measured": {**at, **(measured or {})}})

    def record_ask(
        self,
        first: int,
        proposals: Sequence[Proposal],
        measured: Mapping[str, Any],
        limit: int = 200,
    ) -> None:
        """Note what was asked; on replay, refuse a searcher that asks something else.

        Fidelities are noted where one of them is not full. `limit` is how many characters of a
        proposal are kept.
        """
        patterns = [describe_pattern(proposal.pattern, limit) for proposal in proposals]
        fidelities = _fidelities_to_json(proposals)
        recorded = self.replay("asked")
        if recorded is None:
            self.append("asked", measured, first=first, patterns=patterns, **fidelities)
        elif (recorded["first"], recorded["patterns"]) != (first, patterns):
            raise ReplayDiverged(
                f"{self._folder.path}: the record asked {recorded['patterns']} at trial "
                f"{recorded['first']}, the searcher now asks {patterns} at trial {first}; "
                f"its ask depends on more than options, seed and trials told"
            )
        elif recorded.get("fidelities") != fidelities.get("fidelities"):
            raise ReplayDiverged(
                f"{self._folder.path}: at trial {first} the record asked fidelities "
                f"{recorded.get('fidelities')}, the searcher now asks "
                f"{fidelities.get('fidelities')}; its ask depends on more than it was told"
            )

    def replay_trial(self, index: int) -> Trial | None:
        """The recorded trial of this index, if the record reaches that far."""
        record = self._trials.pop(index, None)
        return Trial.from_json(record) if record else None

    def trials_on_record(self) -> list[Trial]:
        """All settled trials on record."""
        return [Trial.from_json(record) for record in self._trials.values()]

    def record_trial(self, trial: Trial, ledger: Ledger, seconds: float) -> None:
        """Note a finished trial and what has been spent so far."""
        if self.replay("settled") is None:
            self.append("settled", {"s": seconds}, trial=trial.to_json(), spent=ledger.spent)

    def num_finals(self, wanted: Sequence[tuple[str, int]]) -> int:
        """How many of the wanted (pattern, replicate) are on record; refuses a record of others."""
        events = self._recorded.get("final", ())
        recorded = [(event["pattern"], event["replicate"]) for event in events]
        if recorded != list(wanted[: len(recorded)]):
            raise ReplayDiverged(
                f"{self._folder.path}: the record trained {recorded} again, the best patterns of "
                f"its trials are now {list(wanted)}; they are chosen in another way than they were"
            )
        return len(recorded)

    def record_final(self, pattern: str, replicate: int, outcome: Outcome) -> None:
        """Note one re-training on held-out data."""
        if self.replay("final") is None:
            record = asdict(outcome)
            seconds = record.pop("measured_s")
            final = {"pattern": pattern, "replicate": replicate, "outcome": record}
            self.append("final", {"s": seconds}, **final)

    def record_recommendation(self, patterns: Sequence[str]) -> None:
        """Note what the searcher would choose, now that its budget is spent."""
        if self.replay("recommended") is None:
            self.append("recommended", patterns=list(patterns))
        self.recommended = list(patterns)

    def record_choice(self, choice: Mapping[str, Sequence[str]]) -> None:
        """Note who names which patterns that are trained again."""
        if self.replay("chosen") is None:
            values: dict[str, Any] = {name: list(found) for name, found in choice.items()}
            self.append("chosen", **values)

    def record_search_end(self, reason: str, ledger: Ledger) -> None:
        """Note the end of the search, and what was spent on it."""
        self._end = {"reason": reason, "spent": ledger.spent, "llm": asdict(ledger.llm)}
        self.append("searched", **self._end)

    def record_run_end(self) -> None:
        """Note the end of the run, the reason and the account being those of its search."""
        assert self._end is not None
        self.append("finished", **self._end)
        self.is_finished = True

    def record_failure(self, reason: str, trace: str) -> None:
        """Note why the run broke down; a later attempt replays up to here and tries again."""
        self.append("failed", reason=reason, traceback=trace)


def _fidelities_to_json(proposals: Sequence[Proposal]) -> dict[str, list[Any]]:
    fidelities = [proposal.fidelity for proposal in proposals]
    if all(fidelity == 1 for fidelity in fidelities):
        return {}
    return {
        "fidelities": [f if isinstance(f, float | int) else describe_pattern(f) for f in fidelities]
    }


def describe_pattern(pattern: object, limit: int = 200) -> str:
    """A string for the record, whatever a searcher proposed; the same in every process."""
    text = pattern if isinstance(pattern, str) else f"<{type(pattern).__name__}>"
    return text if len(text) <= limit else text[:limit] + "..."
