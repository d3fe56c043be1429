"""What a trial is: its cost on two axes, a proxy's outcome, and the finished record.

The searcher sees a `Trial`; the proxy returns an `Outcome`; the harness turns one into the other.
A score is a float and higher is better, always. A score is there exactly when the pattern was
really scored in this run: for `ok`, and for a `duplicate` answered from an `ok` record.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any, Literal

Status = Literal["ok", "failed", "invalid", "duplicate"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a training uses; known before it starts, charged in full whatever becomes of it.

    `device_seconds` is what the calibrated cost model says, so that it is the same for every
    searcher; what a clock said stands in `Outcome.measured_s`.
    """

    flops: int = 0
    tokens: int = 0
    device_seconds: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.flops + other.flops,
            self.tokens + other.tokens,
            self.device_seconds + other.device_seconds,
        )

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(
            self.flops - other.flops,
            self.tokens - other.tokens,
            self.device_seconds - other.device_seconds,
        )


@dataclass(frozen=True, slots=True)
class LlmCost:
    """What language-model calls used: the second axis of the ledger."""

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    flops: int = 0
    seconds: float = 0.0

    def __add__(self, other: "LlmCost") -> "LlmCost":
        return LlmCost(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.flops + other.flops,
            self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a proxy reports for one pattern and one seed.

    `metrics` holds the native metrics under their own names (`loss`, `accuracy`). `measured_s`
    is wall time, of no consequence for any result. `note` says why a training failed.
    """

    status: Literal["ok", "failed"]
    score: float | None
    cost: Cost
    metrics: Mapping[str, float] = field(default_factory=dict)
    measured_s: float = 0.0
    note: str = ""

    def __post_init__(self) -> None:
        if (self.status == "ok") != (self.score is not None):
            raise ValueError(f"an outcome has a score exactly when it is ok, got {self!r}")
        if self.score is not None and not isfinite(self.score):
            raise ValueError(f"a score must be finite, report a failed outcome: {self!r}")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A pattern with what its searcher wants remembered about it; a plain `str` is enough too.

    `provenance` says where the pattern came from (`searcher`, `llm`, `llm-repaired`, ...),
    `parents` are indices of earlier trials, `details` free text such as a name or a hypothesis.
    `fidelity` is the share of the full training to score it after (search/fidelity.py).
    """

    pattern: str
    provenance: str = "searcher"
    parents: tuple[int, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)
    llm: LlmCost | None = None
    fidelity: float = 1.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One proposed pattern and what became of it.

    `cost` is what was charged: nothing for `invalid` and for a `duplicate` answered from the
    record. `replicate` numbers the trainings of one pattern within a run, from 0. `duplicate_of`
    is the index of the trial that a duplicate repeats. `fidelity` is the share of the full training
    that the score was reached after; a duplicate has that of the trial it repeats.
    """

    index: int
    pattern: str
    status: Status
    score: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)
    replicate: int = 0
    provenance: str = "searcher"
    parents: tuple[int, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)
    llm: LlmCost | None = None
    duplicate_of: int | None = None
    note: str = ""
    fidelity: float = 1.0

    @property
    def is_partial(self) -> bool:
        """Whether it was not trained in full: its score compares with no full one."""
        return self.fidelity < 1

    def to_json(self) -> dict[str, Any]:
        """Plain values for one line of `events.jsonl`; `from_json` is the inverse.

        A full training says nothing of its fidelity.
        """
        record = asdict(self)
        if not self.is_partial:
            del record["fidelity"]
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Trial":
        """The trial that `to_json` wrote."""
        values = dict(record)
        values["cost"] = Cost(**values["cost"])
        values["llm"] = LlmCost(**values["llm"]) if values["llm"] else None
        values["parents"] = tuple(values["parents"])
        return cls(**values)
