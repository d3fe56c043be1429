"""A server that means harm, or is broken in ways that no honest one is: sockets that do just that.

What it sends is listed here once, for the tests and for `make faults`.
"""

import gzip
import json
import socketserver
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Behaviour = Callable[[Any], None]


@contextmanager
def sockets(behave: Callable[[Any], None]) -> Iterator[str]:
    """The address of a server whose every connection is treated by `behave`."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1 << 16)
            try:
                behave(self.request)
            except OSError:
                pass  # the client has gone, which is the point

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()


def respond_with(status: str, body: bytes, headers: str = "") -> Callable[[Any], None]:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
    return lambda connection: connection.sendall(head.encode() + body)


def drip(text: bytes) -> Behaviour:
    """The text again and again, a piece at a time, faster than any timeout of one read."""

    def behave(connection: Any) -> None:
        connection.sendall(b"HTTP/1.1 ")
        while True:
            connection.sendall(text)
            time.sleep(0.05)

    return behave


def begin_then(head: bytes, piece: bytes) -> Behaviour:
    def behave(connection: Any) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)
            time.sleep(0.05)

    return behave


OK = b"HTTP/1.1 200 OK\r\n"
ENDLESS = {
    "a status line that never ends": drip(b"2"),
    "a header byte by byte": begin_then(OK + b"X-Slow: ", b"a"),
    "a header line by line": begin_then(OK, b"X-Slow: a\r\n"),
    "100 Continue without end": begin_then(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "an extension of a chunk": begin_then(OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a"),
    "a body byte by byte": begin_then(OK + b"\r\n", b" "),
    "nothing at all": lambda connection: time.sleep(5),
}


def deflate_without_content() -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return b"".join(packer.flush(zlib.Z_FULL_FLUSH) for _ in range(1000))


# By name: what Content-Encoding says, and the body.
COMPRESSED: Mapping[str, tuple[str, bytes]] = {
    "gzip of gzip": (
        "gzip, gzip",
        gzip.compress(gzip.compress(bytes(10_000_000), mtime=0), mtime=0),
    ),
    "gzip": ("gzip", gzip.compress(b'{"data": 1}', mtime=0)),
    "deflate": ("deflate", deflate_without_content()),
    "br": ("br", b"\x1b\x00\x00"),
}
# Numbers of tokens that no honest server tells.
COUNTS: list[Any] = [
    -1_000_000, 10**400, float("inf"), float("nan"), "many", [3], True, None, 10**6
]  # fmt: skip
# What a server may say of its model besides the name.
DESCRIPTIONS: list[Mapping[str, Any]] = [
    {"max_model_len": "lots"}, {"max_model_len": [1]}, {"max_model_len": float("inf")},
    {"max_model_len": -5}, {"max_model_len": True}, {"root": "r" * 5000}, {"root": "\x00"},
    {"owned_by": "\x1b]0;title\x07"},
]  # fmt: skip


def completion(**changes: Any) -> dict[str, Any]:
    """A chat completion with another choice, usage or more."""
    choice = {"message": {"content": "AMS"}, "finish_reason": "stop"} | changes.pop("choice", {})
    return {"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 3}} | changes


def models(**about: Any) -> Behaviour:
    """A list of one model."""
    entry = {"id": "model", **about}
    return respond_with("200 OK", json.dumps({"data": [entry]}).encode())
