"""A hostile LLM server: what it sends costs neither time nor memory nor budget beyond the granted.

Three parts: answers that never end or are packed, to the transport; nonsense about its models, to
the first call; nonsense in completions, to whole searches that pay for tokens from their budget.
Each ends in time, in one line of ours or well.
"""

import json
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from typing import Any

from nasarena.agents.llm.constraint_probe import connect
from nasarena.agents.llm.endpoint import Endpoint, LlmSettings
from nasarena.agents.llm.messages import Request
from nasarena.agents.llm.server_client import ServerClient
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.comparison.run_spec import search_cell
from nasarena.experiments.comparison.shared_model import with_model
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.measure.faults.hostile_server import (
    COMPRESSED,
    COUNTS,
    DESCRIPTIONS,
    ENDLESS,
    completion,
    respond_with,
    sockets,
)
from nasarena.experiments.measure.faults.loopback import QuietHandler, serve_on_loopback
from nasarena.experiments.measure.faults.tally import Tally
from nasarena.experiments.settings.commands import compare_settings
from nasarena.search.errors import NasArenaError, RunFolderRefused
from nasarena.search.run_folder import read_run
from nasarena.search.space import PatternSpace

_LIMIT_S = 120.0  # of one case; what is granted to a server is far less
_HASTY = "llm.timeout_s=0.4 llm.patience_s=0 llm.active_params=1000000".split()
_SETTINGS = (
    "proxy=additive space.depth=6 budget=flops budget.patterns=6 budget.charge_llm=true seeds=1 "
    "searchers=[agent-iid] references=false cache=false loop.max_duplicates=3 name=x"
).split()
_MOST_TRIALS = 100  # that a budget of six can hold, with what repeats

_SPACE = PatternSpace("AMS", 6)

MODEL_LISTS: list[Any] = [
    *({"data": [{"id": "model", **about}]} for about in DESCRIPTIONS),
    None, 5, "x", [], {}, {"data": None}, {"data": {}}, {"data": "model"}, {"data": []},
    {"data": [5]}, {"data": [None]}, {"data": [{}]}, {"data": [{"id": None}]},
    {"data": [{"id": ["a"]}]}, {"data": [{"id": "\ud800"}]}, {"data": [{"id": "a\nb"}]},
    {"data": [{"id": "x" * 100_000}]}, {"data": [{"id": "a"}, {"id": "b"}]},
    {"data": [{"id": f"m{number}"} for number in range(5000)]}, {"error": "\ud800"},
]  # fmt: skip
_GOOD = {"name": "n", "hypothesis": "h", "expected": "better", "pattern": "AMSAMS"}
_CONTENTS: list[Any] = [
    json.dumps(_GOOD), "", None, 5, [], {}, "\ud800", '{"pattern": "\\ud800"}', "A" * 200_000,
    "[" * 100_000, '{"a":' * 5000, "\0", "AMSAMS", "{not so",
]  # fmt: skip
_CHANGES: list[dict[str, Any]] = [
    {"usage": None}, {"usage": []}, {"usage": 5}, {"usage": {"prompt_tokens_details": 5}},
    {"choice": {"finish_reason": None}}, {"choice": {"finish_reason": 5}},
    {"choice": {"finish_reason": "abort"}}, {"choice": {"finish_reason": "\ud800"}},
    {"choice": {"logprobs": 5}}, {"choice": {"logprobs": []}},
    {"choice": {"logprobs": {"content": [5]}}},
]  # fmt: skip
_CHOICES: list[Any] = [None, [], [5], [None], [{}], [{"message": None}], {}]
COMPLETIONS: list[Any] = [
    *(completion(choice={"message": {"content": content}}) for content in _CONTENTS),
    *(
        completion(
            choice={"message": {"content": json.dumps(_GOOD)}},
            usage={"prompt_tokens": tokens, "completion_tokens": tokens,
                   "prompt_tokens_details": {"cached_tokens": tokens}},
        )
        for tokens in COUNTS
    ),
    *(completion(**changes) for changes in _CHANGES),
    *({"choices": choices} for choices in _CHOICES),
    None, 5, [], {}, "x", {"error": "no"},
]  # fmt: skip


def attack(effort: float) -> list[Tally]:
    """Serve; `effort` scales how much of it."""
    step = max(1, round(1 / effort))
    return [_attack_transport(step), _attack_start(step), _attack_searches(step)]


def _attack_transport(step: int) -> Tally:
    tally = Tally("transport", "answers without end, and packed ones")
    packed = [
        respond_with("200 OK", body, f"Content-Encoding: {encoding}\r\n")
        for encoding, body in COMPRESSED.values()
    ]
    for behave in [*ENDLESS.values(), *packed][::step]:
        with sockets(behave) as url:
            settings = LlmSettings(0.4, 0, base_url=url)
            client = ServerClient(Endpoint(settings, "model", "unknown"))
            request = Request(({"role": "user", "content": "Propose a pattern."},), max_tokens=50)
            tally.note(_failure(partial(connect, settings), must_refuse=True))
            tally.note(_failure(partial(client.complete, request), must_refuse=True))
            client.close()
    return tally


def _attack_start(step: int) -> Tally:
    tally = Tally("first call", "nonsense about models")
    for listed in MODEL_LISTS[::step]:
        for status in (200, 404, 500):
            with _server(listed, completion(), status) as url:
                tally.note(_failure(partial(connect, LlmSettings(0.4, 0, base_url=url))))
    return tally


def _attack_searches(step: int) -> Tally:
    tally = Tally("searches that pay for tokens", "nonsense in completions")
    for answer in COMPLETIONS[::step]:
        with (
            tempfile.TemporaryDirectory() as folder,
            _server({"data": [{"id": "model"}]}, answer) as url,
        ):
            tally.note(_failure(partial(_search, folder, url)))
    return tally


def _search(folder: str, url: str) -> None:
    """One search. Raises AssertionError where its budget did not bound it, or its record is off."""
    config = compare_settings([*_SETTINGS, *_HASTY, f"folder={folder}", f"llm.base_url={url}"])
    planned = plan_comparison(config, "server")
    with with_model(planned, config, make_console(stderr=True)) as comparison:
        (cell,) = comparison.cells
        with suppress(NasArenaError):
            search_cell(cell, lambda advance: None)
        try:
            trials = read_run(cell.path).trials()
        except RunFolderRefused as error:
            raise AssertionError(f"its own record is refused: {error}") from error
        assert len(trials) <= _MOST_TRIALS, f"{len(trials)} trials"


def _failure(ask: Callable[[], object], must_refuse: bool = False) -> str:
    """What is wrong with how it ends, in a thread that may be left behind."""
    caught: list[str] = []

    def follow() -> None:
        try:
            ask()
            caught.append("an answer was taken" if must_refuse else "")
        except NasArenaError as error:
            caught.append("" if str(error).encode("utf-8", "replace") else "no words")
        except BaseException as error:  # any other is what is looked for
            caught.append(f"{type(error).__name__}: {error}"[:200])

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    thread.join(_LIMIT_S)
    return caught[0] if caught else f"still waiting after {_LIMIT_S:g} s"


@contextmanager
def _server(listed: Any, answer: Any, status: int = 200) -> Iterator[str]:
    """The address of a server with this list of models, which answers every request alike."""

    numbers = count(1)

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            self._answer(status, listed)

        def do_POST(self) -> None:
            self.body()
            self._answer(200, answer)

        def _answer(self, code: int, value: Any) -> None:
            # Another pattern each time, or a search would end with its duplicates.
            fresh = _SPACE.pattern(next(numbers) * 7 % _SPACE.size)
            self.send(code, json.dumps(value).replace(_GOOD["pattern"], fresh).encode())

    with serve_on_loopback(Handler) as url:
        yield url
