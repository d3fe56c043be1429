"""A server that means harm, or is broken in ways that no honest one is: sockets that do just that.

Nothing it sends may take longer than was granted, more memory than was granted, make a budget
infinite, end a run by an internal fault, or carry the key into what is recorded.
"""

import json
import socket
import threading
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest

from nasarena.agents.llm import constraint_probe
from nasarena.agents.llm.completion import read_completion
from nasarena.agents.llm.endpoint import Endpoint, LlmSettings
from nasarena.agents.llm.errors import LlmRefused, LlmUnavailable
from nasarena.agents.llm.messages import Request
from nasarena.agents.llm.server_client import ServerClient
from nasarena.agents.llm.server_command import ServerSettings
from nasarena.agents.llm.transport import Patience, Refusal, Transport
from nasarena.experiments.measure.faults.hostile_server import (
    COMPRESSED,
    COUNTS,
    DESCRIPTIONS,
    ENDLESS,
    completion,
    models,
    respond_with,
    sockets,
)
from nasarena.search.errors import InvalidSetting

HASTY = Patience(timeout_s=0.4, patience_s=0)
REQUEST = Request(({"role": "user", "content": "Propose a pattern."},), max_tokens=50)


def call(url: str, patience: Patience = HASTY, key_variable: str = "NO_KEY") -> Any:
    transport = Transport(url, key_variable, patience)
    try:
        return transport.call("GET", "/models", lambda value: value["data"])
    finally:
        transport.close()


@pytest.mark.parametrize("name", ENDLESS)
def test_no_answer_takes_longer_than_granted(name: str) -> None:
    """A thread of its own, so that an answer that never ends fails the test instead of hanging."""
    caught: list[BaseException] = []

    def ask() -> None:
        try:
            call(url)
        except LlmUnavailable as error:
            caught.append(error)

    with sockets(ENDLESS[name]) as url:
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(timeout=20)
        assert not thread.is_alive(), "still waiting"
    assert "answer within 0.4 s" in str(caught[0])


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_compressed_answer_is_not_unpacked(name: str) -> None:
    encoding, body = COMPRESSED[name]
    head = f"Content-Encoding: {encoding}\r\n"
    with (
        sockets(respond_with("200 OK", body, head)) as url,
        pytest.raises(LlmUnavailable) as caught,
    ):
        call(url)
    assert f"encoding not asked for, {encoding!r}" in str(caught.value)


def test_no_compressed_answer_is_asked_for() -> None:
    seen: list[bytes] = []

    def serve() -> None:
        connection, _ = server.accept()
        seen.append(connection.recv(1 << 16))
        respond_with("200 OK", b'{"data": "fine"}')(connection)
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        assert call(f"http://127.0.0.1:{server.getsockname()[1]}/v1", Patience(5, 0)) == "fine"
    assert b"accept-encoding: identity" in seen[0].lower()


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "tomorrow", ""])
def test_a_retry_after_that_is_no_time_is_none(value: str) -> None:
    later = respond_with("429 Later", b"", f"Retry-After: {value}\r\n")
    with sockets(later) as url, pytest.raises(LlmUnavailable, match="HTTP 429"):
        call(url)


@pytest.mark.parametrize("count", COUNTS)
def test_counts_of_tokens_that_no_honest_server_gives_are_estimated(count: Any) -> None:
    usage = {"prompt_tokens": count, "completion_tokens": count,
             "prompt_tokens_details": {"cached_tokens": count}}  # fmt: skip
    cost = read_completion(completion(usage=usage), REQUEST, active_params=10).cost
    assert 0 < cost.prompt_tokens <= 200 and 0 < cost.completion_tokens <= 50
    assert cost.cached_tokens == 0 and 0 < cost.flops < 10**5


def test_honest_counts_are_taken_as_they_are() -> None:
    cost = read_completion(completion(), REQUEST, None).cost
    assert (cost.prompt_tokens, cost.completion_tokens) == (9, 3)
    counted = read_completion({**completion(), "usage": None}, REQUEST, None).cost
    assert counted.prompt_tokens > 0 and counted.completion_tokens == 3


def test_text_that_no_encoder_takes_becomes_text() -> None:
    value = json.loads('{"message": {"content": "x\\ud800", "reasoning": "\\udfff"}}')
    reply = read_completion(completion(choice=value), REQUEST, None)
    assert (reply.text, reply.reasoning) == ("x?", "?")
    reply.text.encode()


@pytest.mark.parametrize("logprob", ["low", None, float("nan"), 800.0, 5.0, True])
def test_an_alternative_without_a_probability_is_none(logprob: Any) -> None:
    others = [{"token": "M", "logprob": logprob}, {"token": "S", "logprob": -2.0}]
    entry = {"token": "A", "logprob": -0.1, "top_logprobs": others}
    (token,) = read_completion(
        completion(choice={"logprobs": {"content": [entry]}}), REQUEST, None
    ).tokens
    assert dict(token.alternatives) == {"A": -0.1, "S": -2.0}


@pytest.mark.parametrize("about", DESCRIPTIONS)
def test_a_model_that_is_described_by_nonsense_is_described_by_nothing(
    about: Mapping[str, Any],
) -> None:
    settings = LlmSettings(**asdict(HASTY))
    with sockets(models(**about)) as url:
        transport = Transport(url, "NO_KEY", Patience(5, 0))
        endpoint = constraint_probe._describe_endpoint(settings, transport)
        transport.close()
    assert endpoint.context is None and endpoint.active_params is None
    assert endpoint.server.isprintable()


def test_a_folder_whose_config_is_no_object_tells_nothing(tmp_path: Any) -> None:
    (tmp_path / "config.json").write_text("[1]")
    with sockets(models(root=str(tmp_path))) as url:
        transport = Transport(url, "NO_KEY", Patience(5, 0))
        endpoint = constraint_probe._describe_endpoint(LlmSettings(), transport)
        transport.close()
    assert endpoint.active_params is None


@pytest.mark.parametrize("key", ["sk-secret\nX-Injected: 1", "sk-sécret", "sk secret", "sk\t1"])
def test_a_key_that_is_none_is_refused_and_not_shown(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", key)
    with pytest.raises(InvalidSetting, match="MY_KEY") as caught:
        Transport("http://127.0.0.1:1/v1", "MY_KEY", HASTY)
    assert "sk" not in str(caught.value)


@pytest.mark.parametrize("arguments", [("--api-key", "sk-1"), ("--api-key=sk-1",)])
def test_a_key_among_recorded_arguments_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(InvalidSetting, match="VLLM_API_KEY") as caught:
        ServerSettings(model="org/name", arguments=arguments)
    assert "sk-1" not in str(caught.value)


def test_a_key_that_a_server_repeats_is_concealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret")
    refusing = respond_with("401 Unauthorized", b'{"error": "bad key sk-secret"}')
    with sockets(refusing) as url, pytest.raises(Refusal) as caught:
        call(url, key_variable="MY_KEY")
    assert "sk-secret" not in str(caught.value) and "[key]" in str(caught.value)
    said = completion(choice={"message": {"content": "your key is sk-secret"}})
    with sockets(respond_with("200 OK", json.dumps(said).encode())) as url:
        settings = LlmSettings(5, 0, base_url=url, key_variable="MY_KEY")
        reply = ServerClient(Endpoint(settings, "model", "unknown")).complete(REQUEST)
    assert reply.text == "your key is [key]"


def test_a_run_does_not_go_on_with_another_model() -> None:
    """What the first answer names holds, whether the server was tried before or not."""
    names: list[Any] = ["m-2024", "m-2024", None, 5, "m-2025"]

    def behave(connection: Any) -> None:
        said = completion() | {"model": names.pop(0)}
        respond_with("200 OK", json.dumps(said).encode())(connection)

    with sockets(behave) as url:
        client = ServerClient(Endpoint(LlmSettings(5, 0, base_url=url), "m", "unknown"))
        for _ in range(4):
            assert client.complete(REQUEST).model == "m"
        with pytest.raises(LlmRefused, match="answers as 'm-2025' now, as 'm-2024' before"):
            client.complete(REQUEST)
        client.close()
        names.append("m-2025")
        tried = Endpoint(LlmSettings(5, 0, base_url=url), "m", "unknown", answers_as="m-2024")
        with pytest.raises(LlmRefused, match="'m-2025'"):
            ServerClient(tried).complete(REQUEST)
