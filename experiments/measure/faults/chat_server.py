"""A server of Chat Completions whose model is a function in Python.

    with serve(lambda messages, seed: "...") as server: server.url, server.bodies

It obeys no constraint: whatever a reply must keep to, the function has to.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from nasarena.experiments.measure.faults.loopback import QuietHandler, serve_on_loopback

Model = Callable[[list[dict[str, str]], int], str]
NAME = "scripted"


@dataclass
class ChatServer:
    """Where it is, and what it was asked, the canary's questions among them."""

    url: str
    bodies: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def serve(model: Model) -> Iterator[ChatServer]:
    """A server while the context lasts."""
    found = ChatServer("")

    class Handler(QuietHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer({"data": [{"id": NAME}]})

        def do_POST(self) -> None:
            body = self.body()
            found.bodies.append(body)
            text = model(body["messages"], body["seed"])
            message = {"role": "assistant", "content": text}
            usage = {"prompt_tokens": 100, "completion_tokens": min(20, body["max_tokens"])}
            choice = {"message": message, "finish_reason": "stop"}
            self._answer({"model": NAME, "choices": [choice], "usage": usage})

        def _answer(self, value: Any) -> None:
            self.send(200, json.dumps(value).encode())

    with serve_on_loopback(Handler) as found.url:
        yield found
