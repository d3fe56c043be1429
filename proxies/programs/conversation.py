"""Words and bytes over the pipes of a process that may say anything, or nothing, or too much."""

import os
import select
import time
from typing import IO

LINE = 4096  # bytes; no line of the protocol is longer


class Broken(Exception):
    """The other side did not keep to the protocol; the text is one line."""


class Conversation:
    """Reads and writes with a deadline; nothing waits for ever and nothing is kept beyond need."""

    def __init__(self, to_them: IO[bytes], from_them: IO[bytes]) -> None:
        self._to, self._from = to_them.fileno(), from_them.fileno()
        self._stream = to_them
        os.set_blocking(self._to, False)
        self._rest = bytearray()

    def expect(self, word: str, deadline: float) -> None:
        """Read one line that is this word. Raises Broken."""
        if (line := self.read_line(deadline)) != word.encode():
            raise Broken(f"said {line[:40]!r} in place of {word!r}")

    def read_line(self, deadline: float) -> bytes:
        """A line without its end. Raises Broken for none, and for one that is too long."""
        while b"\n" not in self._rest:
            if len(self._rest) > LINE:
                raise Broken(f"wrote more than {LINE} bytes in place of a line")
            self._read_more(deadline)
        line, _, rest = bytes(self._rest).partition(b"\n")
        self._rest = bytearray(rest)
        return line

    def read_exactly(self, size: int, deadline: float) -> bytes:
        """So many bytes. Raises Broken for fewer."""
        while len(self._rest) < size:
            self._read_more(deadline)
        data = bytes(self._rest[:size])
        del self._rest[:size]
        return data

    def expect_end(self, deadline: float) -> None:
        """Close our side; they must close theirs without another word. Raises Broken."""
        self._stream.close()
        if self._rest:
            raise Broken(f"wrote {len(self._rest)} bytes more than were asked for")
        try:
            self._read_more(deadline)
        except EOFError:
            return
        except Broken as error:
            if str(error) == _ENDED:
                return
            raise
        raise Broken("wrote more bytes than were asked for")

    def write(self, data: bytes, deadline: float) -> None:
        """Write all. Raises Broken where they do not read."""
        view = memoryview(data)
        while view:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([], [self._to], [], left)[1]:
                raise Broken("did not read its input in time")
            try:
                view = view[os.write(self._to, view) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise Broken("ended before it had its input") from error

    def _read_more(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self._from], [], [], left)[0]:
            raise Broken("did not answer in time")
        if not (more := os.read(self._from, 1 << 18)):
            raise Broken(_ENDED)
        self._rest += more


_ENDED = "ended without an answer"
