"""A pool of this process alone, for what cannot be sent to another."""

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from nasarena.experiments.execution.pool import News, Queue, run_task


class InlinePool:
    """One task after the other; implements `Pool` but for what needs another process.

    Nothing is heard of a task before it is done, its death is the death of all, and Ctrl-C
    reaches it.
    """

    num_workers = 1

    def run_tasks(self, queue: Queue) -> Generator[News, None, None]:
        """As `Pool.run_tasks`."""
        while queue:
            number, task = queue.take()
            with _one_thread():
                news = run_task(number, task, lambda value: None)
            yield news


@contextmanager
def _one_thread() -> Iterator[None]:
    """What torch computes meanwhile, it computes with one thread, as in a worker."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    if torch:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if torch:
            torch.set_num_threads(before)
