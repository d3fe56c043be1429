"""Workers that do the same work at the same moment, as those of a comparison do.

Cores share caches, memory and clock, so what one process does alone on an idle machine is not what
it does beside another. Each waits until all have come; the last to end says how long it took.
"""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasarena.experiments.execution.pool import Pool, Report, results

_LOOK_EVERY_S = 0.0005


@dataclass(frozen=True, slots=True)
class Together:
    """One of `num_workers` tasks that begin `work(*arguments)` when all are at the `meeting`."""

    work: Callable[..., Any]
    arguments: tuple[Any, ...]
    meeting: Path
    number: int
    num_workers: int

    def __call__(self, report: Report) -> Any:
        (self.meeting / str(self.number)).touch()
        # A worker that waits here takes no second task, so every worker has one.
        while len(os.listdir(self.meeting)) < self.num_workers:
            time.sleep(_LOOK_EVERY_S)
        return self.work(*self.arguments)


def work_together(pool: Pool, work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What `work(*arguments)` returns in every worker of a pool on this machine."""
    count = pool.num_workers
    with tempfile.TemporaryDirectory() as meeting:
        tasks = [Together(work, arguments, Path(meeting), i, count) for i in range(count)]
        return results(tasks, pool)
