"""A server of Chat Completions whose model is a function in Python.

    with serve(lambda messages, seed: "...") as server: server.url, server.bodies

It obeys no constraint: whatever a reply must keep to, the function has to.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

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

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send({"data": [{"id": NAME}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.bodies.append(body)
            text = model(body["messages"], body["seed"])
            message = {"role": "assistant", "content": text}
            usage = {"prompt_tokens": 100, "completion_tokens": min(20, body["max_tokens"])}
            choice = {"message": message, "finish_reason": "stop"}
            self._send({"model": NAME, "choices": [choice], "usage": usage})

        def _send(self, value: Any) -> None:
            content = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        found.url = f"http://127.0.0.1:{server.server_port}/v1"
        yield found
        server.shutdown()
