"""A worker whose parent was killed ends, and says nothing."""

import os
from multiprocessing.connection import Pipe
from types import SimpleNamespace

import pytest

from nasarena.experiments.execution import workers
from nasarena.experiments.execution.workers import _send, serve
from nasarena.search.guarded_searcher import TimeLimit


@pytest.mark.parametrize("moment", ["before a task", "with news unread", "while it works"])
def test_a_worker_whose_parent_is_gone_ends_in_silence(
    moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe that is closed with something unread in it is reset, which is no end of file."""
    monkeypatch.setattr(TimeLimit, "ends_process", False)
    monkeypatch.setattr(workers, "_end_with_parent", lambda life: None)  # this process goes on
    (ours, theirs), (_, life) = Pipe(), Pipe()
    if moment == "with news unread":
        theirs.send("news")
    if moment == "while it works":
        _send(ours, SimpleNamespace(enter=lambda: None))
        end = os.dup(ours.fileno())
        _send(ours, (0, lambda report: os.close(end)))
    ours.close()
    serve(os.dup(theirs.fileno()), os.dup(life.fileno()))
    theirs.close()
