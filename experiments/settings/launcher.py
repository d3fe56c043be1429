"""Who runs a comparison: this machine, a Ray cluster, or Slurm.

What is chosen here never changes an event of a run, and so stands in no run's configuration.
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from nasarena.experiments.settings.choices import choose
from nasarena.search.errors import InvalidSetting, nearest
from nasarena.search.settings import settings

Spread = Literal["runs", "batches"]
_SPREAD: Spread = Field(
    "runs",
    description="what a worker is given: a run, or a part of what one run asks for at once "
    "(loop.parallel); then runs go one after the other, each on all workers",
)


@settings
class LocalLauncher:
    """Worker processes on this machine."""

    spread: Spread = _SPREAD


@settings
class _ClusterLauncher:
    """What clusters have in common."""

    attempts: int = Field(
        3,
        ge=1,
        description="times that a run is begun or taken up again when its process or node is lost",
    )


@settings
class RayLauncher(_ClusterLauncher):
    """Ray actors: of a Ray that is started here, or of a cluster that runs already."""

    spread: Spread = _SPREAD
    address: str | None = Field(
        None,
        description="a cluster to join that this machine belongs to, auto or HOST:6379; null "
        "starts Ray on this machine for the time of the command",
    )
    gpus: float = Field(0.0, ge=0, description="GPUs of each worker; 0.25: four share one")


@settings
class SlurmLauncher(_ClusterLauncher):
    """Jobs of Slurm, one for each run, through submitit."""

    jobs: str | None = Field(
        None,
        description="a folder that all nodes share, for what jobs are given and say; by default "
        "jobs/ in that of the comparison",
    )
    partition: str | None = Field(None, description="Slurm's partition; null: its default")
    account: str | None = Field(None, description="whom Slurm charges; null: its default")
    minutes: int = Field(
        240, ge=1, description="time limit of a job; a run that reaches it goes on in another"
    )
    memory_gib: float | None = Field(None, gt=0, description="memory of a job; null: Slurm decides")
    gpus: int = Field(0, ge=0, description="GPUs of each job")
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="other options of sbatch, as launcher.options.qos=long",
    )


LAUNCHERS: dict[str, type[Any]] = {
    "local": LocalLauncher,
    "ray": RayLauncher,
    "slurm": SlurmLauncher,
}
_PACKAGES = {"ray": "ray", "slurm": "submitit"}


@dataclass(frozen=True, slots=True)
class LauncherConfig:
    """Who runs the runs of a comparison: one of `LAUNCHERS`, with its settings."""

    name: str = "local"
    settings: LocalLauncher | RayLauncher | SlurmLauncher = LocalLauncher()

    @property
    def attempts(self) -> int:
        """How often a run may be begun in one command; a death on this machine is for its user."""
        return getattr(self.settings, "attempts", 1)

    @property
    def spreads_batches(self) -> bool:
        """Whether workers are given parts of batches in place of runs."""
        return getattr(self.settings, "spread", "runs") == "batches"


LOCAL = LauncherConfig()


def load_launcher_settings(name: str) -> type[Any]:
    """The class of settings of a name. Raises InvalidSetting for an unknown one."""
    if name not in LAUNCHERS:
        raise InvalidSetting(f"no launcher is called {name!r}; {nearest(name, LAUNCHERS)}")
    return LAUNCHERS[name]


def choose_launcher(name: str, options: Mapping[str, Any]) -> LauncherConfig:
    """The launcher of this name, its settings checked and its package there."""
    chosen = choose("launcher", name, options, load_launcher_settings, LAUNCHERS, "launcher")
    package = _PACKAGES.get(name)
    if package is not None and importlib.util.find_spec(package) is None:
        raise InvalidSetting(
            f"launcher={name} needs the package {package!r}, which is not installed: "
            f"pip install 'nasarena[{name}]'"
        )
    return LauncherConfig(name, chosen)
