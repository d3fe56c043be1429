"""A small HTTP server on this machine, for the time of a context."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class QuietHandler(BaseHTTPRequestHandler):
    """Answers in JSON or bytes, and prints nothing."""

    def body(self) -> Any:
        """What was sent along, read as JSON."""
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def send(self, status: int, content: bytes, **headers: str) -> None:
        """Answer; `Content_Length` among the headers may lie."""
        named = {"Content-Length": str(len(content))}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        self.send_response(status)
        for name, value in named.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words: object) -> None:
        pass


@contextmanager
def serve_on_loopback(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server of these handlers, with /v1 as language models have it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
