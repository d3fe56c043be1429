"""Who runs a comparison: its settings, runs whose worker is lost, jobs without a Slurm."""

import importlib.util
from collections.abc import Generator
from pathlib import Path

import pytest
from launched import Die, launch, small_cells

from nasarena.experiments.commands.cli import main
from nasarena.experiments.comparison.run_spec import Advance
from nasarena.experiments.comparison.running import Search, run_cells
from nasarena.experiments.execution.launchers import _options
from nasarena.experiments.execution.pool import News, Queue
from nasarena.experiments.execution.remote_site import open_site
from nasarena.experiments.settings.commands import compare_settings
from nasarena.experiments.settings.launcher import LOCAL, RayLauncher, SlurmLauncher
from nasarena.search.errors import InvalidSetting, NasArenaError

HAS_SUBMITIT = importlib.util.find_spec("submitit") is not None
# A job that is a process here may outlive its result by a moment, and submitit waits for none.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def with_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)


def test_this_machine_runs_a_comparison_unless_told_otherwise(with_packages: None) -> None:
    assert compare_settings([]).launcher == LOCAL and LOCAL.attempts == 1
    assert compare_settings(["launcher.address=auto"]).launcher.settings == RayLauncher(
        address="auto"
    )
    with pytest.raises(InvalidSetting, match="'launcher.minutes' is a setting of launcher=slurm"):
        compare_settings(["launcher=ray", "launcher.minutes=3"])
    with pytest.raises(InvalidSetting, match="no launcher is called 'rai'; nearest: ray"):
        compare_settings(["launcher=rai"])


def test_settings_of_slurm_reach_submitit_in_its_words(with_packages: None) -> None:
    given = ["launcher=slurm", "launcher.minutes=30", "launcher.options.qos=long"]
    found = compare_settings([*given, "launcher.partition=gpu"]).launcher.settings
    assert isinstance(found, SlurmLauncher)
    assert _options(found) == {
        "timeout_min": 30,
        "slurm_partition": "gpu",
        "slurm_additional_parameters": {"qos": "long"},
        "name": "nasarena",
    }


@pytest.mark.parametrize(("name", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_a_missing_package_is_one_line_before_anything_runs(
    name: str,
    package: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "proxy=additive", f"launcher={name}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"launcher={name} needs the package '{package}'" in line
    assert f"pip install 'nasarena[{name}]'" in line
    assert list(tmp_path.iterdir()) == []


class LosingPool:
    """Loses the worker of every task so many times."""

    num_workers = 2

    def __init__(self, losses: int) -> None:
        self.losses = losses
        self.begun: list[str] = []

    def run_tasks(self, queue: Queue) -> Generator[News, None, None]:
        while queue:
            number, task = queue.take()
            kind = type(task).__name__
            self.begun.append(kind)
            if self.begun.count(kind) <= self.losses:
                yield News(number, "killed", "its node is gone")
            else:
                yield News(number, "done", Advance(8) if isinstance(task, Search) else None)


def test_a_run_whose_worker_is_lost_is_begun_again_so_many_times(tmp_path: Path) -> None:
    cells = small_cells(tmp_path)
    pool = LosingPool(losses=2)
    (*_, last) = run_cells(cells, pool, attempts=5)
    assert last.state == "finished"
    assert pool.begun == ["Search"] * 3 + ["Conclude"] * 3
    pool = LosingPool(losses=2)
    (*_, last) = run_cells(cells, pool, attempts=2)
    assert pool.begun == ["Search"] * 2
    assert "its node is gone" in last.trouble and not last.is_working


def test_a_node_that_does_not_share_the_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_site(tmp_path) as site:
        site.enter()
    with pytest.raises(NasArenaError, match="does not see .*in a file system that all nodes share"):
        site.enter()


@pytest.mark.skipif(not HAS_SUBMITIT, reason="submitit is not installed")
def test_jobs_write_what_workers_on_this_machine_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through submitit, its jobs being processes here; a Slurm has tests/test_slurm.py."""
    from nasarena.experiments.execution import launchers
    from nasarena.experiments.execution.slurm_pool import SlurmPool

    limit = {"timeout_min": 60}
    monkeypatch.setattr(
        launchers,
        "open_pool",
        lambda launcher, n, folder: SlurmPool(folder, n, limit, cluster="local"),
    )
    monkeypatch.setattr(
        "nasarena.experiments.commands.one_comparison.open_pool", launchers.open_pool
    )
    there = launch(tmp_path / "jobs", "local")
    monkeypatch.undo()
    here = launch(tmp_path / "here", "local")
    assert there == here and len(here) == 1
    assert list((tmp_path / "jobs" / "small" / "jobs").glob("*.news*")) == []


@pytest.mark.skipif(not HAS_SUBMITIT, reason="submitit is not installed")
def test_a_job_that_dies_costs_its_task_alone(tmp_path: Path) -> None:
    from nasarena.experiments.execution.slurm_pool import SlurmPool

    queue = Queue([Die(is_job=False), Die(is_job=True)])
    with SlurmPool(tmp_path, 2, {"timeout_min": 60}, cluster="local") as pool:
        ends = {news.task: news for news in pool.run_tasks(queue)}
    assert {number: news.kind for number, news in ends.items()} == {0: "killed", 1: "killed"}
    assert (ends[0].value, ends[1].value) == ("signal SIGKILL", "its job ended without a result")
