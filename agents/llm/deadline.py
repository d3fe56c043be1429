"""An end to a request, whatever the server sends: its connection is shut when the time is over.

Timeouts of an HTTP library hold for one read each, so a header that comes byte by byte, or an
endless row of `100 Continue`, never meets one. Here a timer shuts the socket, whichever part of an
answer is being read; the read then fails at once, in the thread that waits for it.
"""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any


class Deadline:
    """Bounds the requests of one client, one at a time.

    Give `trace` to each request as httpx's extension of that name: it tells which connection is
    in use (the end of a name is all that is looked at, for proxies have prefixes of their own).
    """

    def __init__(self) -> None:
        self._stream: Any = None

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Remember the newest stream of the connection: plain first, then with TLS."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._stream = info["return_value"]

    @contextmanager
    def limit(self, seconds: float) -> Iterator[threading.Event]:
        """Within it the connection is shut after `seconds`; the event says whether it was."""
        is_over = threading.Event()
        timer = threading.Timer(seconds, self._shut, (is_over,))
        timer.daemon = True
        timer.start()
        try:
            yield is_over
        finally:
            timer.cancel()

    def _shut(self, is_over: threading.Event) -> None:
        is_over.set()
        found = self._stream.get_extra_info("socket") if self._stream is not None else None
        if found is not None:
            with suppress(OSError):  # closed already, which is as good
                # Of a copy: a TLS socket would want to say goodbye first, and wait for an answer.
                with socket.socket(fileno=socket.dup(found.fileno())) as copy:
                    copy.shutdown(socket.SHUT_RDWR)
