"""HTTP with patience and with bounds: what is worth waiting for, what is not, and how much is read.

A connection that fails or breaks off, a timeout, 408, 409, 425, 429, any 5xx and a body that is not
what was asked for are waited out: pauses double from one second to thirty, or are as long as the
server says in Retry-After, until `patience_s` have passed since the first failure. Any other 4xx is
asked once more after a pause, and is then final. An answer is read within a given time, headers
too, and to a given number of bytes: none is asked for in a compressed form, where a kilobyte may
hold gigabytes, and none is taken.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, TypeVar

from pydantic import Field

from nasarena.agents.llm.deadline import Deadline
from nasarena.agents.llm.errors import LlmUnavailable
from nasarena.agents.llm.text import one_line
from nasarena.search.errors import InvalidSetting
from nasarena.search.settings import settings

Value = TypeVar("Value")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_CONNECT_S = 10.0
_TRANSIENT = (408, 409, 425, 429)
_WORDS = 300  # characters of a server's message that are passed on


class Refusal(Exception):
    """A 4xx that waiting does not cure: the status and what the server said."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"HTTP {status}: {words}")
        self.status, self.words = status, words


class Oversize(Exception):
    """A body that had more bytes than were wanted; the rest was not read."""


class _Trouble(Exception):
    """A failure that may pass; `pause_s` is how long the server wants to be left alone, and
    `is_loading` that it is there, but its model is not yet (llama.cpp)."""

    def __init__(self, words: str, pause_s: float | None = None, is_loading: bool = False) -> None:
        super().__init__(words)
        self.pause_s, self.is_loading = pause_s, is_loading


@settings
class Patience:
    """How long one answer may take, and how long failures are waited out."""

    timeout_s: float = Field(120.0, gt=0, description="seconds that one answer may take")
    patience_s: float = Field(
        180.0,
        ge=0,
        description="seconds that failures (no connection, 429, 5xx) are waited out before a run "
        "ends",
    )


class Transport:
    """Requests to one server. The key, if any, is read from the environment and never recorded."""

    def __init__(self, base_url: str, key_variable: str, patience: Patience) -> None:
        import httpx

        self._httpx = httpx
        self._base_url, self._patience = base_url.rstrip("/"), patience
        self._key = _read_key(key_variable)
        headers = {"Accept-Encoding": "identity"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        self._deadline = Deadline()
        timeout = httpx.Timeout(
            patience.timeout_s, connect=min(_CONNECT_S, patience.timeout_s), pool=None
        )
        try:
            # A proxy of the environment has no business between us and this machine.
            is_local = httpx.URL(self._base_url).host in ("127.0.0.1", "localhost", "::1")
        except httpx.InvalidURL as error:
            raise InvalidSetting(f"llm.base_url must be an http address: {error}") from error
        self._client = httpx.Client(headers=headers, timeout=timeout, trust_env=not is_local)

    def close(self) -> None:
        self._client.close()

    def call(
        self,
        method: str,
        path: str,
        read: Callable[[Mapping[str, Any]], Value],
        body: Mapping[str, Any] | None = None,
        max_bytes: int = 1 << 20,
        *,
        patience_s: float | None = None,
    ) -> Value:
        """What `read` makes of the JSON object that comes back.

        `read` raises KeyError and the like for an object of the wrong shape. Raises LlmUnavailable
        when patience is spent, Refusal, or Oversize.
        """
        patience_s = self._patience.patience_s if patience_s is None else patience_s
        deadline, pause_s, num_refusals = float("inf"), _FIRST_PAUSE_S, 0
        while True:
            wait_s = pause_s
            try:
                return self._read(read, self._once(method, path, body, max_bytes))
            except Refusal:
                num_refusals += 1
                if num_refusals > 1 or patience_s == 0:
                    raise
            except _Trouble as trouble:
                if trouble.is_loading:
                    patience_s = max(patience_s, self._patience.patience_s)
                deadline = min(deadline, time.monotonic() + patience_s)
                wait_s = pause_s if trouble.pause_s is None else trouble.pause_s
                if time.monotonic() + wait_s > deadline:
                    raise LlmUnavailable(self._give_up_message(trouble, patience_s)) from trouble
            time.sleep(wait_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _once(
        self, method: str, path: str, body: Mapping[str, Any] | None, max_bytes: int
    ) -> Mapping[str, Any]:
        """One attempt; every way in which it can fail is one of our own exceptions."""
        url, extensions = f"{self._base_url}{path}", {"trace": self._deadline.trace}
        content = bytearray()
        late = f"no whole answer within {self._patience.timeout_s:g} s"
        with self._deadline.limit(self._patience.timeout_s) as is_over:
            try:
                with self._client.stream(method, url, json=body, extensions=extensions) as response:
                    encoding = response.headers.get("content-encoding", "identity")
                    if encoding.lower() != "identity":
                        raise _Trouble(f"an answer in an encoding not asked for, {encoding!r}")
                    for chunk in response.iter_raw():
                        content += chunk
                        if len(content) > max_bytes:
                            raise Oversize(f"more than {max_bytes} bytes")
            except self._httpx.TimeoutException as error:
                raise _Trouble(late) from error
            except self._httpx.RequestError as error:
                if is_over.is_set():
                    raise _Trouble(late) from error
                raise _Trouble(one_line(str(error) or type(error).__name__, _WORDS)) from error
            # A body that ends with its connection looks whole when that is shut.
            if is_over.is_set():
                raise _Trouble(late)
        return self._decode_response(response.status_code, response.headers, bytes(content))

    def _read(self, read: Callable[[Mapping[str, Any]], Value], answer: Mapping[str, Any]) -> Value:
        try:
            return read(answer)
        except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
            raise _Trouble(
                f"an answer of another shape than expected ({type(error).__name__}: {error})"
            ) from error

    def _decode_response(
        self, status: int, headers: Mapping[str, str], content: bytes
    ) -> Mapping[str, Any]:
        if status == 429 or status >= 500 or status in _TRANSIENT:
            message = self._message(content)
            is_loading = status == 503 and "loading" in message.lower()
            pause_s = _retry_after(headers.get("retry-after"))
            raise _Trouble(f"HTTP {status}: {message}", pause_s, is_loading)
        if status >= 300:
            raise Refusal(status, self._message(content))
        try:
            value = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise _Trouble("an answer that is no JSON") from error
        if not isinstance(value, dict):
            raise _Trouble("an answer that is no JSON object")
        return value

    def conceal(self, text: str) -> str:
        """`text` without the key: a server may repeat it, and whatever it says is recorded."""
        return text.replace(self._key, "[key]") if self._key else text

    def _message(self, content: bytes) -> str:
        return self.conceal(_message(content))

    def _give_up_message(self, trouble: Exception, patience_s: float) -> str:
        waited = f" for {patience_s:g} s" if patience_s else ""
        return (
            f"the server at {self._base_url} does not answer{waited} ({trouble}); nothing is "
            f"lost, the same command goes on when it is back"
        )


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header; dates and nonsense count as none given."""
    try:
        seconds = float(value or "nan")
    except ValueError:
        return None
    return min(max(seconds, 0.1), 3600.0) if isfinite(seconds) else None


def _message(content: bytes) -> str:
    """What a server says in an error, in the shapes that are in use."""
    try:
        value = json.loads(content)
        for key in ("error", "message", "detail"):
            if isinstance(value, dict) and key in value:
                value = value[key]
        return one_line(value if isinstance(value, str) else json.dumps(value), _WORDS)
    except (ValueError, RecursionError):
        return one_line(content.decode(errors="replace"), _WORDS) or "no reason given"


def _read_key(variable: str) -> str | None:
    """The key in the environment. Raises InvalidSetting, without the key, for what is none."""
    key = os.environ.get(variable) or None
    if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
        raise InvalidSetting(
            f"the key in {variable} must be printable ASCII without blanks or line breaks; "
            f"it is not shown here"
        )
    return key
