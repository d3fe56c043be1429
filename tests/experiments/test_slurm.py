"""Comparisons on a real Slurm of one node, where it is installed and may be started."""

import importlib.util
import subprocess
import threading
import time
from pathlib import Path

import pytest
from launched import launch
from one_node_slurm import missing_for_slurm, one_node_slurm

from nasarena.experiments.measure.machines.same_events import events_below

if reason := missing_for_slurm():
    pytest.skip(reason, allow_module_level=True)
if importlib.util.find_spec("submitit") is None:
    pytest.skip("submitit is not installed: pip install 'nasarena[slurm]'", allow_module_level=True)


def test_a_comparison_on_slurm_survives_a_job_that_is_cancelled(tmp_path: Path) -> None:
    cancelled: list[str] = []

    def cancel_first() -> None:
        """As an administrator does, or a node that fails."""
        while not cancelled:
            ask = ["squeue", "--noheader", "--array", "--states=RUNNING", "--format=%i"]
            cancelled.extend(subprocess.run(ask, capture_output=True, text=True).stdout.split())
            time.sleep(0.05)
        subprocess.run(["scancel", cancelled[0]], check=True)

    with one_node_slurm(cpus=2):
        threading.Thread(target=cancel_first, daemon=True).start()
        there = launch(tmp_path / "there", "slurm")
    assert cancelled
    assert there == launch(tmp_path / "here", "local") == events_below(tmp_path / "here")
