"""Servers that misbehave: sockets that only do that, and a real vLLM behind a proxy that spoils
what passes through it. A run goes on or ends as declared, and nothing recorded is lost."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from nasarena.agents.llm import constraint_probe as canary
from nasarena.agents.llm.endpoint import Endpoint, LlmSettings
from nasarena.agents.llm.errors import ContextTooSmall, LlmRefused, LlmUnavailable
from nasarena.agents.llm.messages import Reply, Request
from nasarena.agents.llm.server_client import ServerClient, explain_refusal
from nasarena.agents.llm.transport import Oversize, Patience, Refusal, Transport
from nasarena.experiments.commands.cli import main
from nasarena.experiments.measure.faults.hostile_server import respond_with, sockets
from nasarena.experiments.measure.faults.loopback import QuietHandler, serve_on_loopback
from nasarena.search.run_folder import read_run

HASTY = Patience(timeout_s=0.5, patience_s=0.2)
RUN = "run searcher=agent-iid proxy=additive budget=trials budget.amount=6".split()
Spoil = Callable[["Spoiler"], None]


def cut_in_the_middle(connection: Any) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"data": [')


def never_ending(connection: Any) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b" " * 4096)


def trickling(connection: Any) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.02)


def call(url: str, patience: Patience = HASTY) -> Any:
    transport = Transport(url, "NO_KEY", patience)
    try:
        return transport.call("GET", "/models", lambda value: value["data"], max_bytes=1 << 20)
    finally:
        transport.close()


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (lambda connection: None, "disconnected without sending"),
        (lambda connection: time.sleep(2), "no whole answer within 0.5 s"),
        (cut_in_the_middle, "closed connection"),
        (trickling, "no whole answer within 0.5 s"),
        (respond_with("429 Too Many Requests", b"slow down"), "HTTP 429: slow down"),
        (respond_with("503 Service Unavailable", b""), "HTTP 503: no reason given"),
        (respond_with("200 OK", b"<html>"), "an answer that is no JSON"),
        (respond_with("200 OK", b"[" * 100_000), "an answer that is no JSON"),
        (respond_with("200 OK", b"[1]"), "no JSON object"),
        (respond_with("200 OK", b'{"models": []}'), "another shape than expected"),
    ],
)
def test_what_may_pass_is_waited_out_and_then_one_line(
    behave: Callable[[Any], None], words: str
) -> None:
    with sockets(behave) as url, pytest.raises(LlmUnavailable) as caught:
        call(url)
    message = str(caught.value)
    assert words in message and "the same command goes on" in message and "\n" not in message


def test_a_body_without_end_is_read_to_its_bound_and_no_further() -> None:
    with sockets(never_ending) as url, pytest.raises(Oversize):
        call(url, Patience(30, 30))


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s, self.pauses_s = 0.0, list[float]()
        monkeypatch.setattr(time, "sleep", self._sleep)
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)

    def _sleep(self, seconds: float) -> None:
        self.pauses_s.append(seconds)
        self.now_s += seconds


def test_pauses_double_to_half_a_minute_unless_the_server_says_how_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy = respond_with("503 Busy", b"")
    later = respond_with("429 Later", b"", "Retry-After: 7\r\n")
    answers = [*[busy] * 2, later, *[busy] * 4, respond_with("200 OK", b'{"data": "here"}')]
    clock, left = Clock(monkeypatch), iter(answers)
    with sockets(lambda connection: next(left)(connection)) as url:
        assert call(url, Patience(1e3, 1e3)) == "here"
    assert clock.pauses_s == [1, 2, 7, 8, 16, 30, 30]


def test_patience_counts_from_the_first_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 10 s: pauses of 1, 2 and 4 s; the next would be 8 s and end too late."""
    clock = Clock(monkeypatch)
    with sockets(respond_with("503 Busy", b"")) as url, pytest.raises(LlmUnavailable, match="10 s"):
        call(url, Patience(1e3, 10.0))
    assert clock.pauses_s == [1, 2, 4]


def test_a_refusal_is_asked_once_more_and_is_then_final(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    with sockets(respond_with("400 Bad", b"no")) as url, pytest.raises(Refusal, match="400: no"):
        call(url, Patience(1e3, 10.0))
    assert clock.pauses_s == [1]


def test_a_server_that_comes_back_in_time_is_no_trouble() -> None:
    left = [respond_with("503 Busy", b""), respond_with("429 Later", b"", "Retry-After: 0.1\r\n")]

    def behave(connection: Any) -> None:
        good = respond_with("200 OK", b'{"data": "here"}')
        (left.pop() if left else good)(connection)

    with sockets(behave) as url:
        assert call(url, Patience(5, 5)) == "here"
    assert left == []


def test_a_refusal_is_asked_once_more_and_then_final() -> None:
    asked = []

    def behave(connection: Any) -> None:
        asked.append(1)
        respond_with("400 Bad", b'{"error": {"message": "no such thing"}}')(connection)

    with sockets(behave) as url, pytest.raises(Refusal, match="HTTP 400: no such thing"):
        call(url, Patience(5, 5))
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("status", "said", "kind", "words"),
    [
        (401, "missing key", LlmRefused, "put it into the environment variable NASARENA_LLM_KEY"),
        (404, "The model `x` does not exist.", LlmRefused, "does not serve the model 'x'"),
        (404, "Not Found", LlmRefused, "does llm.base_url end in /v1"),
        (400, "default chat template is no longer allowed", LlmRefused, "has no chat template"),
        (400, "This model's maximum context length is 64", ContextTooSmall, "do not fit into"),
        (400, "Invalid grammar specification", LlmRefused, "rejects the schema"),
        (422, "what?", LlmRefused, "refuses the request (HTTP 422): what?"),
    ],
)
def test_refusals_say_what_to_do(status: int, said: str, kind: type, words: str) -> None:
    error = explain_refusal(Refusal(status, said), "x", LlmSettings())
    assert type(error) is kind and words in str(error)


def test_nobody_at_the_address_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*RUN, "llm.base_url=http://127.0.0.1:9/v1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "http://127.0.0.1:9/v1 does not answer" in line
    assert list(tmp_path.iterdir()) == []


@dataclass
class Spoiler:
    """A proxy before a real server. `spoil` treats each chat completion; others just pass."""

    target: str
    spoil: Spoil
    url: str = ""
    num_chats: int = 0
    handler: QuietHandler = field(init=False)
    body: dict[str, Any] = field(init=False)

    def forward(self) -> bytes:
        """What the real server answers to the body as it is now."""
        path = self.handler.path.removeprefix("/v1")
        with httpx.Client(trust_env=False, timeout=60) as client:
            if self.handler.command == "GET":
                root = self.target if self.handler.path.startswith("/v1") else self.target[:-3]
                return client.get(root + path).content
            return client.post(self.target + path, json=self.body).content

    def send(self, status: int, content: bytes, length: int | None = None) -> None:
        promised = str(length or len(content))
        self.handler.send(status, content, Content_Length=promised, Retry_After="0.1")


@contextmanager
def spoiling_server(target: str, spoil: Spoil) -> Iterator[Spoiler]:
    state = Spoiler(target, spoil)

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            state.handler = self
            state.send(200, state.forward())

        def do_POST(self) -> None:
            state.handler = self
            state.body = self.body()
            state.num_chats += 1
            state.spoil(state)

    with serve_on_loopback(Handler) as state.url:
        yield state


def honest(state: Spoiler) -> None:
    state.send(200, state.forward())


def edit_choice(change: Callable[[dict[str, Any]], None]) -> Spoil:
    """The real answer with its first choice changed."""

    def spoil(state: Spoiler) -> None:
        answer = json.loads(state.forward())
        change(answer["choices"][0])
        state.send(200, json.dumps(answer).encode())

    return spoil


@pytest.fixture(scope="module")
def endpoint(server_url: str) -> Endpoint:
    return canary.connect(LlmSettings(base_url=server_url))


def complete(endpoint: Endpoint, url: str, patience: Patience, **values: Any) -> Reply:
    from dataclasses import replace

    client = ServerClient(replace(endpoint, settings=LlmSettings(base_url=url, **asdict(patience))))
    try:
        message = {"role": "user", "content": "Propose a pattern."}
        return client.complete(Request((message,), regex="[AMS]{16}", **values))
    finally:
        client.close()


def without(*constraints: str) -> Spoil:
    """A server that does not know some constraints, and does not say so; its replies are short."""

    def spoil(state: Spoiler) -> None:
        for name in constraints:
            state.body.pop(name, None)
        state.body["max_tokens"] = min(state.body["max_tokens"], 64)
        honest(state)

    return spoil


@pytest.mark.parametrize(
    ("dropped", "schema_rung", "regex_rung"),
    [
        (("response_format",), "structured_outputs", "structured_outputs"),
        (("structured_outputs",), "json_schema", "none"),
        (("response_format", "structured_outputs"), "none", "none"),
    ],
)
def test_the_ladder_is_climbed_down_as_far_as_need_be(
    endpoint: Endpoint, dropped: tuple[str, ...], schema_rung: str, regex_rung: str
) -> None:
    with spoiling_server(endpoint.settings.base_url, without(*dropped)) as proxy:
        found = canary.connect(LlmSettings(base_url=proxy.url))
    assert (found.schema_rung, found.regex_rung) == (schema_rung, regex_rung)
    assert any("not obeyed, got" in finding for finding in found.findings)


def test_a_storm_of_429_changes_nothing_but_the_time(endpoint: Endpoint) -> None:
    def storm(state: Spoiler) -> None:
        if state.num_chats <= 8:
            state.send(429, b'{"error": "too many requests"}')
        else:
            honest(state)

    url = endpoint.settings.base_url
    with spoiling_server(url, storm) as proxy:
        reply = complete(endpoint, proxy.url, Patience(30, 30), seed=3)
        assert proxy.num_chats == 9
    assert reply.text == complete(endpoint, url, Patience(30, 30), seed=3).text
    assert reply.cost.calls == 1


def test_a_megabyte_in_place_of_a_reply_is_not_read_and_is_charged(endpoint: Endpoint) -> None:
    huge = edit_choice(lambda choice: choice["message"].update(content="A" * (1 << 20)))
    with spoiling_server(endpoint.settings.base_url, huge) as proxy:
        reply = complete(endpoint, proxy.url, Patience(30, 5), max_tokens=50)
    assert (reply.finish_reason, reply.text) == ("oversize", "")
    assert reply.cost.completion_tokens == 50


def break_off(state: Spoiler) -> None:
    content = state.forward()
    state.send(200, content[: len(content) // 2], len(content))
    state.handler.close_connection = True


def test_a_run_goes_on_through_faults_of_every_kind(
    server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other answer is spoiled, each in another way; waiting, or one more turn, cures it."""
    monkeypatch.chdir(tmp_path)
    waited_out: list[Spoil] = [
        lambda state: state.send(429, b"busy"),
        lambda state: state.send(500, b"fault"),
        break_off,
    ]
    mended = [
        edit_choice(lambda choice: choice["message"].update(content="{not so")),
        edit_choice(lambda choice: choice.update(finish_reason="length")),
        edit_choice(lambda choice: choice["message"].update(content="A" * (1 << 20))),
    ]
    left = [treat for spoil in waited_out + mended for treat in (honest, spoil)]

    def treat(state: Spoiler) -> None:
        in_canary = state.num_chats <= 6
        (honest if in_canary or not left else left.pop(0))(state)

    with spoiling_server(server_url, treat) as proxy:
        more = ["name=x", "budget.amount=10", "loop.initial_design=2"]
        assert main([*RUN, *more, f"llm.base_url={proxy.url}"]) == 0
    assert left == []
    run = read_run(tmp_path / "runs" / "x" / "agent-iid" / "seed-0")
    asked = [trial for trial in run.trials() if trial.provenance != "initial_design"]
    assert {trial.status for trial in asked} <= {"ok", "duplicate"}
    assert [trial.provenance for trial in asked].count("llm-repaired") == len(mended)
    calls = list(run.of_kind("llm_call"))
    # What was waited out is no call; what was mended is one.
    assert len(calls) == proxy.num_chats - 6 - len(waited_out) == run.events[-1]["llm"]["calls"]
    reasons = [event["finish_reason"] for event in calls]
    assert reasons.count("length") == reasons.count("oversize") == 1


def test_replies_that_stay_unusable_are_charged_invalid_trials_and_end_the_run(
    server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """A model that repeats itself for ever: every reply runs into max_tokens."""
    monkeypatch.chdir(tmp_path)
    more = ["loop.max_duplicates=3", "loop.initial_design=2", "searcher.options.max_tokens=16"]
    assert main([*RUN, "name=x", f"llm.base_url={server_url}", *more]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "3 invalid proposals in a row" in line
    run = read_run(tmp_path / "runs" / "x" / "agent-iid" / "seed-0")
    invalid = [trial for trial in run.trials() if trial.status == "invalid"]
    assert [trial.provenance for trial in invalid] == ["llm-invalid"] * 3
    # A reply and its repair, sampled twice: four calls of 16 tokens each.
    costs = [trial.llm for trial in invalid if trial.llm]
    assert [(cost.calls, cost.completion_tokens) for cost in costs] == [(4, 64)] * 3
    assert run.trials()[-1].cost.flops == 0


def test_a_dead_server_ends_the_run_and_the_same_command_goes_on(
    server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)

    def dead_after(state: Spoiler) -> None:
        if state.num_chats > 9:
            state.handler.close_connection = True
        else:
            honest(state)

    run = [*RUN, "name=x", "loop.initial_design=2", "llm.patience_s=0.5"]
    with spoiling_server(server_url, dead_after) as proxy:
        assert main([*run, f"llm.base_url={proxy.url}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "does not answer for 0.5 s" in line and "nothing is lost" in line
    path = tmp_path / "runs" / "x" / "agent-iid" / "seed-0"
    cut = read_run(path)
    assert cut.state == "partial" and len(list(cut.of_kind("llm_call"))) >= 2
    assert main([*run, f"llm.base_url={server_url}"]) == 0
    assert read_run(path).events[: len(cut.events)] == cut.events
