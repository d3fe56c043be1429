"""Where a comparison stands, as plain values for the page: a step of a curve for each improvement.

Fed as trackers are, from the events that are written: the news of workers are fewer than trials.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from nasarena.experiments.comparison.plan import Comparison
from nasarena.experiments.comparison.run_spec import RunSpec
from nasarena.experiments.comparison.running import Progress
from nasarena.experiments.exchange.event_metrics import Row
from nasarena.experiments.exchange.tracking import Feed
from nasarena.search.untrusted.one_line import one_line


@dataclass(slots=True)
class _Run:
    """One run, a tracker of its own; `steps` are (trials settled, best score from there on)."""

    seed: int
    state: str = "waiting"
    num_trials: int = 0
    share: float = 0.0
    steps: list[tuple[int, float]] = field(default_factory=list)

    def log(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if "spent" not in row.values:
                continue  # a re-training
            self.num_trials = row.step + 1
            best = row.values.get("best_score")
            if best is not None and (not self.steps or self.steps[-1][1] != best):
                self.steps.append((self.num_trials, best))

    def end(self, state: str) -> None:
        self.share = 1.0


class LiveProgress:
    """The state of the comparison that is being run; written by one thread, read by others."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._start_s = time.monotonic()
        self._name, self._runs = "", dict[str, dict[int, _Run]]()
        self._feeds = dict[Path, Feed]()
        self._has_ended = False

    def begin(self, comparison: Comparison, to_do: Sequence[RunSpec]) -> None:
        """Show this comparison from now on; `to_do` are the cells that will be run."""
        waiting = {cell.path for cell in to_do}
        with self._lock:
            self._name, self._runs = one_line(comparison.folder.name), {}
            for cell in comparison.cells:
                run = self._runs.setdefault(cell.entrant.label, {})[cell.seed] = _Run(cell.seed)
                if cell.path not in waiting:
                    run.state = comparison.state(cell)
                    self._follow(cell.path, run, is_working=False)

    def update(self, progress: Progress) -> None:
        """Take in what happened to a cell."""
        with self._lock:
            run = self._runs[progress.cell.entrant.label][progress.cell.seed]
            if progress.advance is not None:
                run.share = progress.advance.share
            self._follow(progress.cell.path, run, progress.is_working)
            run.state = "running" if progress.is_working else progress.state

    def _follow(self, path: Path, run: _Run, is_working: bool) -> None:
        """Read what was written since; a run that cannot be read has no curve, and goes on."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            feed = self._feeds.setdefault(path, Feed(path, run))
            feed.advance() if is_working else feed.end()

    def end(self) -> None:
        """No more comes."""
        with self._lock:
            self._has_ended = True

    def snapshot(self) -> dict[str, Any]:
        """Everything the page shows, as JSON has it."""
        with self._lock:
            searchers = [
                {
                    "name": one_line(name),
                    "runs": [
                        {"seed": run.seed, "state": run.state, "trials": run.num_trials,
                         "share": round(run.share, 4), "steps": list(run.steps)}
                        for run in runs.values()
                    ],
                }
                for name, runs in self._runs.items()
            ]  # fmt: skip
            return {
                "name": self._name,
                "elapsed_s": round(time.monotonic() - self._start_s),
                "ended": self._has_ended,
                "searchers": searchers,
            }
