"""How often something was tried, how often it held, and in which ways it did not."""

from dataclasses import dataclass, field
from typing import Any

_NUM_WORDS = 5  # failures that are told in words


@dataclass(slots=True)
class Tally:
    """The counts of one target of an attack; `how` says what was done to it."""

    target: str
    how: str
    tried: int = 0
    held: int = 0
    failures: list[str] = field(default_factory=list)

    def note(self, failure: str = "", times: int = 1) -> None:
        """One more try, or several of the same fate; it held unless there is a `failure`."""
        self.tried += times
        if not failure:
            self.held += times
        elif failure not in self.failures and len(self.failures) < _NUM_WORDS:
            self.failures.append(failure)

    def row(self) -> dict[str, Any]:
        """As it is recorded; what failed stands in it only where something did."""
        row: dict[str, Any] = {
            "target": self.target, "how": self.how, "tried": self.tried, "held": self.held
        }  # fmt: skip
        return row | ({"failures": list(self.failures)} if self.failures else {})
