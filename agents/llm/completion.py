"""What stands in a chat completion, taken with a grain of salt: a server may say anything.

Counts of tokens enter budgets, so a count that no honest server could give for this request is
replaced by an estimate from above. Text becomes what every encoder can write.
"""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from nasarena.agents.llm.messages import Reply, Request, TokenChoice, llm_cost
from nasarena.agents.llm.text import estimate_tokens

# vLLM reports -9999 for a token that the constraint forbids: no opinion of the model.
_FORBIDDEN = -1000.0
_TEMPLATE_TOKENS = 64  # of a message, and again of the whole prompt, beside its own text
_NAME_LENGTH = 200
_END_TOKENS = 16  # that some servers count beyond `max_tokens`


def read_completion(
    completion: Mapping[str, Any], request: Request, active_params: int | None
) -> Reply:
    """The reply to `request`. Raises KeyError, ValueError and their like if there is none."""
    choice = completion["choices"][0]
    if choice.get("finish_reason") == "abort":  # the server was told to end in the middle of it
        raise ValueError("the answer was broken off")
    message = choice["message"]
    text = _clean(message.get("content"))
    reasoning = _clean(message.get("reasoning") or message.get("reasoning_content"))
    usage = completion.get("usage") or {}
    prompt = _count(
        usage.get("prompt_tokens"), _most_prompt_tokens(request), estimate_prompt_tokens(request)
    )
    written = _count(
        usage.get("completion_tokens"),
        request.max_tokens + _END_TOKENS,
        min(estimate_tokens(text + reasoning), request.max_tokens),
    )
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    cost = llm_cost(
        prompt, written, cached_tokens=_count(cached, prompt, 0), active_params=active_params
    )
    tokens = tuple(_tokens(choice.get("logprobs")))
    return Reply(
        text,
        cost,
        tokens,
        _clean(choice.get("finish_reason")) or "stop",
        reasoning,
        model=answering_model(completion),
    )


def answering_model(completion: Mapping[str, Any]) -> str:
    """As which model a server says that it answers; nothing where it does not say."""
    name = completion.get("model")
    return _clean(name)[:_NAME_LENGTH] if isinstance(name, str) else ""


def estimate_prompt_tokens(request: Request) -> int:
    """Tokens of the messages, roughly, from above."""
    return sum(estimate_tokens(message["content"]) for message in request.messages)


def _most_prompt_tokens(request: Request) -> int:
    """No tokenizer makes more tokens than bytes, and no chat template adds more than this."""
    texts = [message["content"] for message in request.messages]
    template = _TEMPLATE_TOKENS * (len(texts) + 1)
    return sum(len(text.encode()) for text in texts) + template


def _count(value: object, most: int, estimate: int) -> int:
    """A number of tokens that a server tells, or the estimate where it cannot be one."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 <= value <= most:  # type: ignore[operator]  # false for nan
        return int(value)  # type: ignore[call-overload, no-any-return]
    return estimate


def _clean(text: object) -> str:
    """Text without lone surrogates, which JSON can hold and UTF-8 cannot."""
    return str(text or "").encode("utf-8", "replace").decode()


def _tokens(logprobs: Mapping[str, Any] | None) -> Iterator[TokenChoice]:
    """Tokens with their alternatives; none where the server gave none. Raises as the caller."""
    for entry in (logprobs or {}).get("content") or ():
        token = _clean(entry["token"])
        known = {_clean(other["token"]): other["logprob"] for other in _alternatives(entry)}
        if _is_logprob(entry["logprob"]):
            known[token] = entry["logprob"]
        yield TokenChoice(token, known)


def _alternatives(entry: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for other in entry.get("top_logprobs") or ():
        if _is_logprob(other["logprob"]) and other["logprob"] > _FORBIDDEN:
            yield other


def _is_logprob(value: object) -> bool:
    """A finite number that is the logarithm of a probability, rounding aside."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and isfinite(value) and value < 1e-3  # type: ignore[arg-type, operator]
