"""Processes that train one model together, as `torchrun` starts them, for several test files."""

import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cloudpickle

from nasarena.experiments.execution.pool import Report, results
from nasarena.experiments.execution.workers import LocalPool
from nasarena.proxies.scaled.distributed.ranks import join


@dataclass(frozen=True)
class Launched:
    """What one process does with the environment that `torchrun` gives it.

    `joins`: it gets the ranks, joined.
    """

    rank: int
    size: int
    port: int
    act: Callable[..., Any]
    arguments: Sequence[Any]
    joins: bool
    leaves_traces: bool = field(default=True, init=False)

    def __call__(self, report: Report) -> Any:
        os.environ |= {
            "TORCHELASTIC_RUN_ID": "test", "RANK": str(self.rank), "LOCAL_RANK": str(self.rank),
            "WORLD_SIZE": str(self.size), "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(self.port),
        }  # fmt: skip
        if not self.joins:
            return self.act(*self.arguments)
        with join() as ranks:
            return self.act(ranks, *self.arguments)


def launch(size: int, act: Callable[..., Any], *arguments: Any, joins: bool = True) -> list[Any]:
    """What `act` gives in each of `size` processes; raises what one of them raises."""
    if not act.__module__.startswith("nasarena."):  # a test's, which others cannot import
        cloudpickle.register_pickle_by_value(sys.modules[act.__module__])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tasks = [Launched(rank, size, port, act, arguments, joins) for rank in range(size)]
    return results(tasks, LocalPool(size))
