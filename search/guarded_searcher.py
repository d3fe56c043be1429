"""A searcher behind a fence: exceptions, endless loops and nonsense become SearcherFailed.

Its time is limited by the process's real-time alarm, which only the main thread may set: elsewhere
(and on systems without it) the limit is not enforced. An alarm is delivered between two Python
instructions, so a searcher stuck inside one call of a compiled library is interrupted when that
call returns. A searcher that catches the interruption is interrupted again, every second; one that
catches them all ends its worker process, which costs its own run.
"""

import json
import os
import signal
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import numpy as np

from nasarena.search.candidates.protocol import Space
from nasarena.search.errors import InvalidPattern, NasArenaError, SearcherFailed
from nasarena.search.journal import Journal
from nasarena.search.searcher import Searcher
from nasarena.search.trial import LlmCost, Proposal, Trial
from nasarena.search.untrusted.one_line import one_line

MakeSearcher = Callable[[np.random.Generator], Searcher]

_PACKAGE = Path(__file__).parents[1]
_LIBRARIES = (
    *(_PACKAGE / "search", _PACKAGE / "experiments"),
    *(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
)
_AGAIN_S = 1.0  # between interruptions of a searcher that catches them
_MOST_CAUGHT = 5


class AskTimeout(BaseException):
    """Raised inside searcher code whose time is up; the loop records it as its failure.

    No Exception, for a searcher that tries again after every exception would never end.
    """


class TimeLimit:
    """Installs the alarm's handler once; `running` arms it around one call."""

    ends_process = False  # set in a worker, whose death costs one run and is noticed

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._enforced = (
            hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
        )
        self._previous: Any = None
        self._is_running = False
        self._num_alarms = 0

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
        self._is_running, self._num_alarms = True, 0
        signal.setitimer(signal.ITIMER_REAL, self._limit_s, _AGAIN_S)
        try:
            yield
        finally:
            self._is_running = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _on_alarm(self, signum: int, frame: FrameType | None) -> None:
        if not self._is_running:
            return
        self._num_alarms += 1
        if self.ends_process and self._num_alarms > _MOST_CAUGHT:
            os._exit(1)
        raise AskTimeout(f"no answer within {self._limit_s:g} s (ask_timeout_s)")


class GuardedSearcher:
    """The searcher that `make` builds; each of its failures is recorded before it is raised.

    `tell_s` is how long its last `tell` took.
    """

    def __init__(
        self, make: MakeSearcher, rng: np.random.Generator, journal: Journal, limit: TimeLimit
    ) -> None:
        self._journal, self._limit = journal, limit
        self.tell_s = 0.0
        self._searcher: Searcher = self._call("setting up", lambda: make(rng))

    def ask(self, n: int) -> list[Proposal]:
        """Up to `n` proposals. What is no pattern at all stays in and is found invalid later."""
        answer = self._call("ask", lambda: self._searcher.ask(n))
        if isinstance(answer, str) or not isinstance(answer, Sequence):
            self._fail(f"ask must return a list of patterns, got {type(answer).__name__}")
        if len(answer) > n:
            self._fail(f"ask was asked for at most {n} patterns, got {len(answer)}")
        return [
            self._checked(item) if isinstance(item, Proposal) else Proposal(item) for item in answer
        ]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Hand over finished trials."""
        start = time.perf_counter()
        self._call("tell", lambda: self._searcher.tell(trials))
        self.tell_s = time.perf_counter() - start

    def recommend(self, k: int, space: Space) -> list[str] | None:
        """Up to `k` patterns that the searcher thinks best; None from one that recommends none."""
        method = getattr(self._searcher, "recommend", None)
        if method is None:
            return None
        answer = self._call("recommend", lambda: method(k))
        if isinstance(answer, str) or not isinstance(answer, Sequence):
            self._fail(f"recommend must return a list of patterns, got {type(answer).__name__}")
        if len(answer) > k:
            self._fail(f"recommend was asked for at most {k} patterns, got {len(answer)}")
        return list(
            dict.fromkeys(self._call("recommend", lambda: list(map(space.validate, answer))))
        )

    def _checked(self, proposal: Proposal) -> Proposal:
        """The proposal, which can be written down: else the searcher has failed."""
        try:
            json.dumps([proposal.provenance, list(proposal.parents), dict(proposal.details)])
        except (TypeError, ValueError, RecursionError) as error:
            self._fail(f"ask returned a proposal that cannot be recorded: {error}")
        if proposal.llm is not None and not isinstance(proposal.llm, LlmCost):
            self._fail(
                f"ask returned a proposal whose llm must be an LlmCost or None, "
                f"got {type(proposal.llm).__name__}"
            )
        return proposal

    def _call(self, what: str, function: Callable[[], Any]) -> Any:
        try:
            with self._limit.running(what):
                return function()
        except (Exception, AskTimeout) as error:
            if _is_passed_on(error):
                raise
            reason = f"{what} raised {type(error).__name__}: {_words_of(error)}{_place_of(error)}"
            self._fail(reason, traceback.format_exc())

    def _fail(self, reason: str, trace: str = "") -> None:
        reason = one_line(reason)
        trace = trace.encode("utf-8", "backslashreplace").decode()
        self._journal.record_failure(reason, trace)
        raise SearcherFailed(f"the searcher failed: {reason}")


def _is_passed_on(error: BaseException) -> bool:
    """Whether it is an error of ours about something else, such as a server that went away.

    A proposal that is no pattern is the searcher's own doing; so is an error of a class of its own.
    """
    is_ours = type(error).__module__.partition(".")[0] == "nasarena"
    return isinstance(error, NasArenaError) and is_ours and not isinstance(error, InvalidPattern)


def _place_of(error: BaseException) -> str:
    """The last line of the searcher's own code on the way to the error, its libraries left out."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame
        for frame in frames
        if not any(Path(frame.filename).is_relative_to(place) for place in _LIBRARIES)
    ]
    return f" ({own[-1].name}, {Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""


def _words_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # an error whose own text cannot be made
        return "(no text)"
