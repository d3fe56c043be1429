"""A client of any server that speaks Chat Completions: vLLM, llama.cpp, a hosted one.

How a constraint is put into words depends on the rung of the ladder that the probe found to hold
(`constraint_probe.py`). The old `guided_json` and `guided_regex` are not among them: servers since
vLLM 0.12 ignore them without a word.
"""

import time
from dataclasses import replace
from typing import Any

from nasarena.agents.llm.completion import estimate_prompt_tokens, read_completion
from nasarena.agents.llm.endpoint import Endpoint, LlmSettings, Rung
from nasarena.agents.llm.errors import ContextTooSmall, LlmRefused
from nasarena.agents.llm.messages import Reply, Request, llm_cost
from nasarena.agents.llm.transport import Oversize, Refusal, Transport

_ENVELOPE_BYTES = 1 << 16
_TOKEN_BYTES = 64  # a token of text and of reasoning, escaped, is far below
_ALTERNATIVE_BYTES = 256


class ServerClient:
    """Completes requests on an `Endpoint`; safe to use from one thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint, self._settings = endpoint, endpoint.settings
        self._answers_as = endpoint.answers_as
        self._transport = Transport(
            self._settings.base_url, self._settings.key_variable, self._settings
        )

    def complete(self, request: Request) -> Reply:
        """The reply; see `Client`. Retries cost time and nothing else."""
        start_s, active_params = time.perf_counter(), self._endpoint.active_params
        rung = self._rung(request)
        body = chat_body(self._endpoint.model, request, rung)
        try:
            reply = self._transport.call(
                "POST",
                "/chat/completions",
                lambda completion: read_completion(completion, request, active_params),
                body,
                max_bytes(request),
            )
        except Oversize:  # charged with all that it may have had
            prompt = estimate_prompt_tokens(request)
            cost = llm_cost(prompt, request.max_tokens, active_params=active_params)
            reply = Reply("", cost, finish_reason="oversize")
        except Refusal as refusal:
            error = explain_refusal(refusal, self._endpoint.model, self._settings)
            if not (isinstance(error, ContextTooSmall) and request.may_overflow):
                raise error from refusal
            reply = Reply("", llm_cost(0, 0), finish_reason="context")
        self._refuse_another_model(reply.model)
        return replace(
            reply,
            text=self._transport.conceal(reply.text),
            reasoning=self._transport.conceal(reply.reasoning),
            cost=replace(reply.cost, seconds=round(time.perf_counter() - start_s, 6)),
            constraint=rung,
            model=self._endpoint.model,
            revision=self._endpoint.revision,
            server=self._endpoint.server,
        )

    def close(self) -> None:
        self._transport.close()

    def _refuse_another_model(self, answering: str) -> None:
        """A run never goes on with another model: what its server says at first holds for it."""
        known = self._answers_as
        self._answers_as = known or answering
        if answering and known and answering != known:
            raise LlmRefused(
                f"{self._settings.base_url} answers as {answering!r} now, as {known!r} before; "
                f"the same command goes on when that is back"
            )

    def _rung(self, request: Request) -> Rung:
        if request.schema is not None:
            return self._endpoint.schema_rung
        return self._endpoint.regex_rung if request.regex is not None else "none"


def chat_body(model: str, request: Request, rung: Rung) -> dict[str, Any]:
    """The body of a Chat Completions call."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [dict(message) for message in request.messages],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
    }
    if request.logprobs:
        body |= {"logprobs": True, "top_logprobs": request.logprobs}
    if request.schema is not None and rung == "json_schema":
        schema = {"name": "answer", "schema": dict(request.schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif request.schema is not None and rung == "structured_outputs":
        body["structured_outputs"] = {"json": dict(request.schema)}
    elif request.schema is not None and rung == "json_object":
        body["response_format"] = {"type": "json_object"}
    elif request.regex is not None and rung == "structured_outputs":
        body["structured_outputs"] = {"regex": request.regex}
    return body


def max_bytes(request: Request) -> int:
    """More than any honest answer to this request can have."""
    per_token = _TOKEN_BYTES + _ALTERNATIVE_BYTES * (request.logprobs + 1) * (request.logprobs > 0)
    return _ENVELOPE_BYTES + per_token * request.max_tokens


def explain_refusal(refusal: Refusal, model: str, settings: LlmSettings) -> LlmRefused:
    """A refusal in terms of what the user can do about it."""
    words, url = refusal.words, settings.base_url
    lower = words.lower()
    if refusal.status in (401, 403):
        return LlmRefused(
            f"{url} wants a valid key: put it into the environment variable "
            f"{settings.key_variable} ({words})"
        )
    if refusal.status == 404 and "model" in lower:
        return LlmRefused(f"{url} does not serve the model {model!r}: {words}")
    if refusal.status == 404:
        return LlmRefused(f"{url} has no Chat Completions; does llm.base_url end in /v1? ({words})")
    if "chat template" in lower or "chat_template" in lower:
        return LlmRefused(
            f"the model {model!r} has no chat template, so it cannot be spoken to in messages: "
            f"choose an instruct model, or serve it with --chat-template FILE"
        )
    if "context" in lower or "max_model_len" in lower or "longer than" in lower:
        return ContextTooSmall(
            f"a prompt and its reply do not fit into the context of {model!r}: lower "
            f"memory_tokens or max_tokens, or serve it with a longer context ({words})"
        )
    if any(word in lower for word in ("schema", "grammar", "response_format", "regex")):
        return LlmRefused(f"{url} rejects the schema of a reply (HTTP {refusal.status}): {words}")
    return LlmRefused(f"{url} refuses the request (HTTP {refusal.status}): {words}")
