"""The settings of `nasarena audit`; as in config.py."""

from typing import Annotated, Literal

from pydantic import Field, InstanceOf

from nasarena.experiments.settings.choices import ProxyConfig
from nasarena.experiments.settings.config import CACHE, WORKERS, FolderName, Positive, Workers
from nasarena.search.settings import settings
from nasarena.search.space import PatternSpace

Axis = Literal["seeds", "tasks", "steps", "width", "depth", "settings"]
Times = Annotated[int, Field(ge=2)]

_PATTERNS = "how many of the patterns, the first ones"
_SEEDS = "trainings of each"


@settings
class StepsConfig:
    """The axis of longer trainings."""

    factors: tuple[Positive, ...] = Field(
        (3.0, 10.0), description="how many times longer to train, warm-up included"
    )
    patterns: int = Field(24, ge=3, description=_PATTERNS)
    seeds: int = Field(1, ge=1, description=_SEEDS)


@settings
class WidthConfig:
    """The axis of wider models."""

    factors: tuple[Times, ...] = Field(
        (2, 4),
        description="how many times wider, with so many times the heads; the learning rate stays",
    )
    patterns: int = Field(16, ge=3, description=_PATTERNS)
    seeds: int = Field(1, ge=1, description=_SEEDS)


@settings
class DepthConfig:
    """The axis of deeper models; `rules` say how a pattern is stretched."""

    factors: tuple[Times, ...] = Field((2,), description="how many times deeper")
    rules: tuple[Literal["repeat", "tile"], ...] = Field(
        ("repeat", "tile"), description="repeat: AMS becomes AAMMSS; tile: AMSAMS"
    )
    patterns: int = Field(16, ge=3, description=_PATTERNS)
    seeds: int = Field(1, ge=1, description=_SEEDS)


@settings
class ChangesConfig:
    """The axis of the user's own: the proxy with some settings changed, by name."""

    changes: dict[str, InstanceOf[ProxyConfig]] = Field(
        default_factory=dict,
        description="axes of your own by name, as settings.changes.batch32.train.batch_size=32",
    )
    patterns: int = Field(24, ge=3, description=_PATTERNS)
    seeds: int = Field(1, ge=1, description=_SEEDS)


@settings
class AuditConfig:
    """`nasarena audit`."""

    proxy: InstanceOf[ProxyConfig]
    space: InstanceOf[PatternSpace]
    patterns: int = Field(24, ge=3, description="random patterns to train")
    seeds: int = Field(4, ge=2, description="trainings of each pattern")
    first_seed: int = Field(
        0,
        ge=0,
        description="seeds count up from here; trainings along the other axes take the seeds after "
        "these",
    )
    axes: tuple[Axis, ...] | None = Field(
        None,
        description="list of seeds, tasks, steps, width, depth, settings; null: those that train "
        "nothing more",
    )
    anchors: str | None = Field(
        None,
        description="published: put the proxy to orders of patterns that were published at scale, "
        "and to nothing else; or a file of such comparisons",
    )
    steps: StepsConfig = StepsConfig()
    width: WidthConfig = WidthConfig()
    depth: DepthConfig = DepthConfig()
    settings: ChangesConfig = ChangesConfig()
    picks: tuple[Annotated[int, Field(gt=0)], ...] = Field(
        (1, 3, 5),
        description="k of regret at k: the best of the proxy's k best, against the best of all",
    )
    gaps: tuple[Positive, ...] = Field(
        (0.25, 0.5, 1.0, 2.0),
        description="differences to be seen, in standard deviations of patterns",
    )
    trainings: int = Field(
        3,
        ge=1,
        description="what a run's final score averages: loop.finalists x loop.final_replicates",
    )
    threshold: float = Field(
        0.85,
        ge=0,
        le=1,
        description="intraclass correlation below which the proxy does not pass (exit code 1)",
    )
    workers: Workers = Field(None, description=WORKERS)
    cache: bool = Field(True, description=CACHE)
    folder: str = Field("audits", description="where audits lie")
    name: FolderName | None = Field(
        None, description="what this one is called there; by default as the proxy"
    )
