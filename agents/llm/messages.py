"""What is said to a language model and what comes back: a request, a reply, and their hashes.

A request holds everything that its reply may depend on besides the model: messages, constraint and
sampling. Its key is a hash of just that, so a record can be checked call by call. A reply holds
everything that a replay needs, what it cost included.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nasarena.search.seeding import stable_hash
from nasarena.search.trial import LlmCost

Message = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """One call of Chat Completions, for one reply.

    `schema` (JSON schema, strings bounded) or `regex` constrains the reply; at most one of them.
    `logprobs` is how many alternatives to report for each token, 0 none. `seed` belongs to this
    call alone. With `may_overflow`, a prompt beyond the model's context is answered by an empty
    reply with the finish reason `context`; otherwise it ends the run.
    """

    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None = None
    regex: str | None = None
    max_tokens: int = 400
    temperature: float = 0.8
    top_p: float = 1.0
    seed: int = 0
    logprobs: int = 0
    may_overflow: bool = False

    def __post_init__(self) -> None:
        if self.schema is not None and self.regex is not None:
            raise ValueError("a request is constrained by a schema or a regex, not by both")

    def to_json(self) -> dict[str, Any]:
        """Plain values: what is stored, and what `key` hashes."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return values | {"messages": [dict(message) for message in self.messages]}

    @property
    def key(self) -> str:
        """Hash of the content."""
        return content_hash(self.to_json())


@dataclass(frozen=True, slots=True)
class TokenChoice:
    """A token that was written, and the log-probabilities of it and of some that were not."""

    token: str
    alternatives: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `tokens` spell the text if log-probabilities were asked for and given.

    `finish_reason` is `stop`, or says why the text is not a whole answer: `length` (max_tokens),
    `oversize` (more bytes than any honest answer has), `context` (the prompt did not fit).
    `constraint` names the rung of the ladder by which the reply was constrained; `server` and
    `revision` say who answered.
    """

    text: str
    cost: LlmCost
    tokens: tuple[TokenChoice, ...] = ()
    finish_reason: str = "stop"
    reasoning: str = ""
    constraint: str = "none"
    model: str = ""
    revision: str = ""
    server: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values for the store; `from_json` is the inverse."""
        values = {name: getattr(self, name) for name in self.__slots__}
        tokens = [[choice.token, dict(choice.alternatives)] for choice in self.tokens]
        return values | {"cost": asdict(self.cost), "tokens": tokens}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Reply":
        """The reply that `to_json` wrote."""
        tokens = tuple(TokenChoice(token, others) for token, others in record["tokens"])
        return cls(**{**record, "cost": LlmCost(**record["cost"]), "tokens": tokens})


def content_hash(record: Mapping[str, Any]) -> str:
    """128-bit hash of plain values, whatever the order of their keys."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def call_seed(run_seed: int, trial: int, operator: str, attempt: int) -> int:
    """The 31-bit sampling seed of one call; servers take no more than that everywhere."""
    return stable_hash(run_seed, trial, operator, attempt) >> 33


def llm_cost(
    prompt_tokens: int,
    completion_tokens: int,
    *,
    cached_tokens: int = 0,
    seconds: float = 0.0,
    active_params: int | None = None,
) -> LlmCost:
    """The cost of one call: FLOPs are 2 x active parameters x tokens, 0 where those are unknown.

    Tokens from the server's prefix cache count in full: what is cached depends on who else asked
    and when, and like the evaluation cache it saves time, never budget.
    """
    flops = 2 * (active_params or 0) * (prompt_tokens + completion_tokens)
    return LlmCost(1, prompt_tokens, cached_tokens, completion_tokens, flops, seconds)
