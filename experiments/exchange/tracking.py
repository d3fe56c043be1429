"""Runs followed by trackers, while they go on and afterwards, by one and the same code.

A tracker is fed from `events.jsonl` alone, by the process that started the comparison: workers know
of none, and no event depends on one. It always starts at the first event. So a run that is resumed
is shown whole, in the place of what was shown of it before.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, Self

from nasarena.experiments.exchange.event_metrics import EventMetrics, Row
from nasarena.figures.suite.results import MANIFEST
from nasarena.search.run_folder import RunRecord, read_run
from nasarena.search.untrusted.one_line import one_line

_PERIOD_S = 1.0  # what has settled meanwhile is sent at once: a server may answer slowly


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """A run as a tracker is told of it: its folder, and what run.json says.

    `where` is what the user said of the place (a folder, an address), None: the tool's default.
    """

    path: Path
    header: Mapping[str, Any]
    where: str | None = None

    @property
    def folder(self) -> Path:
        """The folder of its comparison."""
        return self.path.resolve().parents[1]

    @property
    def comparison(self) -> str:
        """The name of its comparison; on a landscape of a suite after that of the suite."""
        folder = self.folder
        is_of_suite = (folder.parent / MANIFEST).exists()
        return f"{folder.parent.name}-{folder.name}" if is_of_suite else folder.name

    @property
    def name(self) -> str:
        """Searcher and seed, as `random/seed-0`."""
        return f"{self.searcher}/{self.path.name}"

    @property
    def searcher(self) -> str:
        return self.path.resolve().parent.name

    @property
    def key(self) -> str:
        """One and the same for the same run, however often it is shown."""
        return f"{self.comparison}/{self.name}/{self.header['config_hash']}"


class Tracker(Protocol):
    """One run in somebody's tool."""

    def log(self, rows: Sequence[Row]) -> None:
        """Show more of it."""
        ...

    def end(self, state: str) -> None:
        """No more comes: the run is `finished`, `failed` or `partial`."""
        ...


Begin = Callable[[TrackedRun], Tracker]


def load_tracker(name: str) -> Begin:
    """What begins to show a run in the tool of this name."""
    begin: Begin = import_module(f"nasarena.experiments.exchange.{name}_tracker").begin
    return begin


class Feed:
    """Leads the events of one run to one tracker, as far as they are written."""

    def __init__(self, path: Path, tracker: Tracker) -> None:
        self._events, self._tracker = path / "events.jsonl", tracker
        self._metrics, self._offset = EventMetrics(), 0
        self._state, self._sent_s = "partial", float("-inf")

    def advance(self) -> None:
        """Send what was written since; a line that is not whole yet is left for later."""
        if time.monotonic() - self._sent_s < _PERIOD_S:
            return
        with open(self._events, "rb") as file:
            file.seek(self._offset)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        events = [json.loads(line) for line in whole.splitlines()]
        if events:
            last = events[-1]["event"]
            self._state = last if last in ("finished", "failed") else "partial"
            self._tracker.log([row for event in events if (row := self._metrics.take(event))])
        self._sent_s = time.monotonic()

    def end(self) -> None:
        """Send the rest and close."""
        self._sent_s = float("-inf")
        self.advance()
        self._tracker.end(self._state)


def send_run(record: RunRecord, begin: Begin, where: str | None) -> None:
    """Show a run that is on disk already."""
    Feed(record.path, begin(TrackedRun(record.path, record.header, where))).end()


class LiveTracking:
    """Follows the runs of a comparison while they go on; a context manager.

    A tool that breaks down is left out from then on, with a line on stderr: it costs no run.
    """

    def __init__(self, names: Sequence[str], folder: Path) -> None:
        self._folder = folder
        self._begins = {name: load_tracker(name) for name in names}
        self._feeds: dict[Path, dict[str, Feed]] = {}

    def update(self, path: Path, is_working: bool) -> None:
        """There is news of the run in this folder."""
        if not self._begins or not (path / "events.jsonl").exists():
            return
        feeds = self._feeds.setdefault(path, {})
        for name, begin in list(self._begins.items()):
            try:
                if name not in feeds:
                    feeds[name] = Feed(path, begin(TrackedRun(path, read_run(path).header)))
                feeds[name].advance() if is_working else feeds[name].end()
            except Exception as error:  # of a library, or of a server far away
                self._leave_out(name, error)
        if not is_working:
            del self._feeds[path]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for path in list(self._feeds):  # after Ctrl-C, say
            self.update(path, is_working=False)

    def _leave_out(self, name: str, error: Exception) -> None:
        del self._begins[name]
        for feeds in self._feeds.values():
            feeds.pop(name, None)
        print(
            f"nasarena: {name} is left out from here on: {one_line(str(error))}; the runs go on, "
            f"and nasarena export {self._folder} to={name} sends them later",
            file=sys.stderr,
        )
