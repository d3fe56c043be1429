"""A clock on searcher code: an ask that never ends is a failed searcher, not a hung comparison.

Uses the process's real-time alarm, which only the main thread may set: elsewhere (and on systems
without it) the limit is not enforced. An alarm is delivered between two Python instructions, so a
searcher stuck inside one call of a compiled library is interrupted when that call returns.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self


class AskTimeout(Exception):
    """Raised inside searcher code whose time is up; the loop records it as its failure."""


class TimeLimit:
    """Installs the alarm's handler once; `running` arms it around one call."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._enforced = (
            hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
        )
        self._previous: Any = None

    def __enter__(self) -> Self:
        if self._enforced:
            self._previous = signal.signal(signal.SIGALRM, self._on_alarm)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._enforced:
            signal.signal(signal.SIGALRM, self._previous)

    @contextmanager
    def running(self, what: str) -> Iterator[None]:
        """Raise AskTimeout inside the block when it takes longer than the limit."""
        if not self._enforced:
            yield
            return
        signal.setitimer(signal.ITIMER_REAL, self._limit_s)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _on_alarm(self, signum: int, frame: FrameType | None) -> None:
        raise AskTimeout(f"no answer within {self._limit_s:g} s (ask_timeout_s)")
