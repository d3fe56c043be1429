"""Cells in parallel worker processes: one torch thread each, reused from cell to cell.

The parent hands out one cell at a time, so it always knows who works on what: a worker that is
killed costs its own cell, which stays partial and resumable, and is replaced. Workers ignore
Ctrl-C and end when the parent says so or is gone.
"""

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Literal

from nasarena.experiments.cell import Cell, run_cell
from nasarena.search.budget import Ledger
from nasarena.search.errors import NasArenaError, SearcherFailed
from nasarena.search.trial import Trial

# A worker reports progress at most so often, in seconds.
_REPORT_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Progress:
    """What became of a cell so far.

    `state`: running, finished, failed (the searcher's fault, recorded), refused (a setting or a
    folder), crashed (a fault of ours, `text` is the traceback) or killed (the process is gone).
    """

    cell: Cell
    state: Literal["running", "finished", "failed", "refused", "crashed", "killed"]
    num_trials: int = 0
    spent: float = 0.0
    best: float | None = None
    text: str = ""


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    cell: Cell | None = None
    last: Progress | None = field(default=None)


def run_cells(
    cells: Sequence[Cell], provenance: Mapping[str, Any], num_workers: int
) -> Iterator[Progress]:
    """Run all cells and yield what happens, as it happens. Closing the iterator ends the workers."""
    waiting = list(cells)
    workers = [_start(provenance) for _ in range(min(num_workers, len(waiting)))]
    try:
        while waiting or any(worker.cell for worker in workers):
            for worker in workers:
                if worker.cell is None and waiting:
                    worker.cell = waiting.pop(0)
                    worker.pipe.send(worker.cell)
            ready = wait([worker.pipe for worker in workers], timeout=1.0)
            for index, worker in enumerate(workers):
                if worker.pipe not in ready:
                    continue
                progress, alive = _receive(worker)
                if not alive:
                    workers[index] = _start(provenance)
                if progress is not None:
                    yield progress
    finally:
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join()


def _start(provenance: Mapping[str, Any]) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, provenance), daemon=True)
    process.start()
    theirs.close()  # so that the pipe ends when the worker does
    return _Worker(process, ours)


def _receive(worker: _Worker) -> tuple[Progress | None, bool]:
    """The next message of a worker, and whether it is still alive."""
    try:
        progress: Progress = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join()
        if worker.cell is None:
            return None, False
        reason = f"its process ended with exit code {worker.process.exitcode}"
        return Progress(worker.cell, "killed", text=reason), False
    if progress.state != "running":
        worker.cell = None
    return progress, True


def _work(pipe: Connection, provenance: Mapping[str, Any]) -> None:
    """A worker's life: take a cell, run it, say what became of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    os.environ["OMP_NUM_THREADS"] = "1"
    _one_torch_thread()
    while True:
        try:
            cell: Cell = pipe.recv()
        except EOFError:
            return
        pipe.send(_run(cell, provenance, pipe))


def _run(cell: Cell, provenance: Mapping[str, Any], pipe: Connection) -> Progress:
    reporter = _Reporter(cell, pipe)
    try:
        run_cell(cell, provenance, watch=reporter)
    except SearcherFailed as error:
        return reporter.progress("failed", str(error))
    except NasArenaError as error:
        return reporter.progress("refused", str(error))
    except Exception:
        return reporter.progress("crashed", traceback.format_exc())
    return reporter.progress("finished")


class _Reporter:
    """Follows a run trial by trial and tells the parent now and then."""

    def __init__(self, cell: Cell, pipe: Connection) -> None:
        self._cell, self._pipe = cell, pipe
        self._num_trials, self._spent = 0, 0.0
        self._best: float | None = None
        self._told_at = 0.0

    def __call__(self, trial: Trial, ledger: Ledger) -> None:
        self._num_trials += 1
        self._spent = ledger.spent
        if trial.score is not None and (self._best is None or trial.score > self._best):
            self._best = trial.score
        if time.monotonic() - self._told_at > _REPORT_EVERY_S:
            self._told_at = time.monotonic()
            self._pipe.send(self.progress("running"))

    def progress(self, state: Any, text: str = "") -> Progress:
        return Progress(self._cell, state, self._num_trials, self._spent, self._best, text)


def _one_torch_thread() -> None:
    """Two workers with two threads each would fight over two cores."""
    import torch

    torch.set_num_threads(1)


def _end_with_parent() -> None:
    """A worker whose parent was killed must not go on writing into run folders."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
