"""The one way to a language model: a `Client` completes a request, `ask_and_parse` reads the reply.

Whatever stands behind the protocol (a server, a record, the embedded model), a client either
answers or raises a NasArenaError that ends the run, resumable. It never makes up an answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from nasarena.agents.llm.messages import Reply, Request, TokenChoice, call_seed
from nasarena.search.trial import LlmCost

__all__ = ["Answer", "Client", "ClosableClient", "Reply", "Request", "ask_and_parse"]

Value = TypeVar("Value")
# Characters of an unusable reply that are shown to the model again: of JSON, and of free text,
# which may hold a program.
_QUOTED, _QUOTED_PROGRAM = 1000, 12_000


class Client(Protocol):
    """Anything that answers requests, one at a time."""

    def complete(self, request: Request) -> Reply:
        """The reply. Raises LlmUnavailable or LlmRefused, which end the run."""
        ...


class ClosableClient(Client, Protocol):
    """A client that holds something, such as connections."""

    def close(self) -> None:
        """Let go of it; no request is made after that."""
        ...


@dataclass(frozen=True, slots=True)
class Answer(Generic[Value]):
    """What came of a question: a value, or None with the text that could not be used and why.

    `text`, `tokens` and `error` belong to the last reply; `cost` is that of all calls. `provenance`
    is `llm`, `llm-repaired` (after the turn that quotes the error) or `llm-invalid`; who asks again
    or looks into the value has `llm-resampled` and `llm-salvaged` (out of its packaging) besides.
    """

    value: Value | None
    text: str
    tokens: tuple[TokenChoice, ...]
    provenance: str
    cost: LlmCost
    error: str = ""
    prompt_version: str = ""


def ask_and_parse(client: Client, request: Request, parse: Callable[[str], Value]) -> Answer[Value]:
    """Ask, and if `parse` raises ValueError ask once more, quoting what it said.

    A reply that was cut off is not parsed at all. Sampling again is left to the caller, who knows
    what a fresh seed is.
    """
    reply = client.complete(request)
    value, error, excerpt = _read(reply, parse)
    if value is not None:
        return Answer(value, reply.text, reply.tokens, "llm", reply.cost)
    mended = client.complete(_repair(request, reply.text, error, excerpt))
    cost = reply.cost + mended.cost
    value, second_error, _ = _read(mended, parse)
    provenance = "llm-invalid" if value is None else "llm-repaired"
    return Answer(value, mended.text, mended.tokens, provenance, cost, second_error)


def _read(reply: Reply, parse: Callable[[str], Value]) -> tuple[Value | None, str, str]:
    """The value, or why there is none, in a line and in lines that are quoted as they stand."""
    if reply.finish_reason in _CUT:
        return None, _CUT[reply.finish_reason], ""
    try:
        return parse(reply.text), "", ""
    except ValueError as error:
        return None, " ".join(str(error).split()), str(getattr(error, "excerpt", ""))


_CUT = {
    "length": "the reply was longer than allowed and was cut off",
    "oversize": "the reply had more bytes than were read",
    "context": "the model's context has no room for another turn",
}


def _repair(request: Request, text: str, error: str, excerpt: str) -> Request:
    """The same question with the bad answer and the validator's words; a seed of its own."""
    most = _QUOTED if request.schema is not None else _QUOTED_PROGRAM
    said = text if len(text) <= most else text[:most] + "..."
    shown = f"\n{excerpt}\n" if excerpt else " "
    turn = (
        {"role": "assistant", "content": said or "(nothing)"},
        {
            "role": "user",
            "content": f"That answer cannot be used: {error}.{shown}Answer the question again, "
            f"mend this and keep to the form asked for.",
        },
    )
    return replace(
        request,
        messages=(*request.messages, *turn),
        seed=call_seed(request.seed, 0, "repair", 1),
        may_overflow=True,
    )
