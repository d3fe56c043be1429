"""A searcher behind a fence: exceptions, endless loops and nonsense become SearcherFailed."""

import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nasarena.search.errors import InvalidPattern, NasArenaError, SearcherFailed
from nasarena.search.journal import Journal
from nasarena.search.searcher import Searcher
from nasarena.search.time_limit import TimeLimit
from nasarena.search.trial import Proposal, Trial

MakeSearcher = Callable[[np.random.Generator], Searcher]


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
        return [item if isinstance(item, Proposal) else Proposal(item) for item in answer]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Hand over finished trials."""
        start = time.perf_counter()
        self._call("tell", lambda: self._searcher.tell(trials))
        self.tell_s = time.perf_counter() - start

    def _call(self, what: str, function: Callable[[], Any]) -> Any:
        try:
            with self._limit.running(what):
                return function()
        except InvalidPattern as error:  # its own doing, unlike a server that went away
            self._fail(f"{what} raised {type(error).__name__}: {error}", traceback.format_exc())
        except NasArenaError:
            raise
        except Exception as error:
            self._fail(f"{what} raised {type(error).__name__}: {error}", traceback.format_exc())

    def _fail(self, reason: str, trace: str = "") -> None:
        self._journal.record_failure(reason, trace)
        raise SearcherFailed(f"the searcher failed: {reason}")
