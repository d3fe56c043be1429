"""A server as llama.cpp has it: busy loading at first, context and quantization under `meta`."""

import json
from collections.abc import Iterator

import pytest

from nasarena.agents.llm import transport
from nasarena.agents.llm.constraint_probe import connect
from nasarena.agents.llm.endpoint import LlmSettings
from nasarena.agents.llm.errors import ContextTooSmall, LlmUnavailable
from nasarena.agents.llm.messages import Request
from nasarena.agents.llm.server_client import ServerClient
from nasarena.experiments.measure.faults.loopback import QuietHandler, serve_on_loopback

NAME = "smollm2-135m"
LOADING = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
# Recorded from llama.cpp of 2026-10.
MODELS = {
    "object": "list",
    "data": [{"id": NAME, "object": "model", "owned_by": "llamacpp",
              "meta": {"n_ctx": 4096, "n_params": 134515008, "ftype": "Q4_1"}}],
}  # fmt: skip
OVERFLOW = {
    "error": {
        "code": 400,
        "message": "request (6031 tokens) exceeds the available context size (4096 tokens), try "
        "increasing it",
        "type": "exceed_context_size_error",
    }
}


class Loads(QuietHandler):
    """Obeys a JSON schema, as its grammar does, and ignores what it does not know."""

    asks_until_ready = 3
    num_asks = 0

    def do_GET(self) -> None:
        type(self).num_asks += 1
        if self.num_asks < self.asks_until_ready:
            self.send(503, json.dumps(LOADING).encode())
        else:
            self.send(200, json.dumps(MODELS).encode())

    def do_POST(self) -> None:
        body = self.body()
        if len(str(body["messages"])) > 5000:
            self.send(400, json.dumps(OVERFLOW).encode())
            return
        is_constrained = body.get("response_format", {}).get("type") == "json_schema"
        text = '{"code": "QXZZXQ"}' if is_constrained else "Good morning!"
        usage = {"prompt_tokens": 36, "completion_tokens": 6}
        usage |= {"prompt_tokens_details": {"cached_tokens": 35}}  # type: ignore[dict-item]
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        self.send(200, json.dumps({"model": NAME, "choices": [choice], "usage": usage}).encode())


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(transport, "_FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr("nasarena.agents.llm.constraint_probe._KNOCKING_S", 0.0)
    with serve_on_loopback(type("Handler", (Loads,), {})) as address:
        yield address


def test_loading_is_waited_for_and_constraints_are_found(url: str) -> None:
    found = connect(LlmSettings(base_url=url, patience_s=30.0))
    assert (found.model, found.server, found.context) == (NAME, "llamacpp Q4_1", 4096)
    assert (found.schema_rung, found.regex_rung) == ("json_schema", "none")


def test_loading_is_not_waited_for_without_patience(url: str) -> None:
    with pytest.raises(LlmUnavailable, match="Loading model"):
        connect(LlmSettings(base_url=url, patience_s=0.0))


def test_too_long_a_prompt_is_told_as_such(url: str) -> None:
    client = ServerClient(connect(LlmSettings(base_url=url, patience_s=30.0)))
    assert client.complete(Request(({"role": "user", "content": "hi"},))).cost.cached_tokens == 35
    with pytest.raises(ContextTooSmall, match="4096 tokens"):
        client.complete(Request(({"role": "user", "content": "word " * 2000},)))
    client.close()
