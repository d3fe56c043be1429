"""The pool that a launcher stands for: what runs the tasks of a comparison, by its settings."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from nasarena.experiments.execution.pool import Pool
from nasarena.experiments.execution.workers import LocalPool
from nasarena.experiments.settings.launcher import LauncherConfig, RayLauncher, SlurmLauncher


def open_pool(
    launcher: LauncherConfig, num_workers: int | None, folder: Path
) -> AbstractContextManager[Pool]:
    """The pool of a launcher, for a `with`; results shall lie below `folder`, which must exist.

    Raises NasArenaError where no cluster answers.
    """
    settings = launcher.settings
    if isinstance(settings, RayLauncher):
        from nasarena.experiments.execution.ray_pool import RayPool

        return RayPool(folder, num_workers, settings.address, settings.gpus)
    if isinstance(settings, SlurmLauncher):
        from nasarena.experiments.execution.slurm_pool import SlurmPool

        jobs = Path(settings.jobs) if settings.jobs else None
        return SlurmPool(folder, num_workers, _options(settings), jobs)
    return LocalPool(num_workers)


def _options(settings: SlurmLauncher) -> dict[str, Any]:
    """The options of a job as submitit names them, those that were not given left out."""
    named = {
        "timeout_min": settings.minutes,
        "mem_gb": settings.memory_gib,
        "slurm_partition": settings.partition,
        "slurm_account": settings.account,
        "gpus_per_node": settings.gpus or None,
        "slurm_additional_parameters": dict(settings.options) or None,
        "name": "nasarena",
    }
    return {name: value for name, value in named.items() if value is not None}
