"""Comparisons on Ray: the events are those of this machine, and a lost actor costs its task."""

import importlib.util
import os
from pathlib import Path

import pytest
from launched import Die, launch
from pool_contract import Fail, Square, check_pool

from nasarena.experiments.execution.pool import Queue

if importlib.util.find_spec("ray") is None:
    pytest.skip("ray is not installed: pip install 'nasarena[ray]'", allow_module_level=True)
# Ray does not wait for the processes that it has ended.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def test_runs_on_ray_are_those_of_this_machine_whatever_dies(tmp_path: Path) -> None:
    """One Ray for all of it, for it takes seconds to start."""
    from nasarena.experiments.execution.ray_pool import RayPool

    tasks = [Square(2), Die(is_job=True), Fail("refuse"), Die(is_job=False), Square(3)]
    with RayPool(tmp_path, 2) as pool:
        ends = {n.task: n for n in pool.run_tasks(Queue(tasks)) if n.kind != "working"}
        there = launch(tmp_path / "there", "ray", seeds=2)
        if os.environ.get("NASARENA_TEST_RAY"):  # minutes: every pool of it has actors of its own
            check_pool(lambda count: RayPool(tmp_path, count))
    kinds = ["done", "killed", "refused", "killed", "done"]
    assert [ends[number].kind for number in range(5)] == kinds
    assert (ends[0].value, ends[4].value) == (4, 9)
    assert ends[3].value == "signal SIGKILL" and "Ray lost its worker" in ends[1].value
    assert there == launch(tmp_path / "here", "local", seeds=2)
    assert len(there) == 2
