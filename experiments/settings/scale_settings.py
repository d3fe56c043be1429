"""The settings of `nasarena scale`; as in config.py."""

from typing import Literal

from pydantic import Field, InstanceOf

from nasarena.experiments.settings.config import FIRST_SEED, WORKERS, FolderName, Positive, Workers
from nasarena.proxies.data.text_settings import TextSettings
from nasarena.proxies.patternbench.suite import SUITE
from nasarena.proxies.scaled.scaled_settings import ScaledSettings
from nasarena.search.settings import settings
from nasarena.search.space import PatternSpace

Unit = Literal["tokens", "flops", "tokens_per_parameter"]


@settings
class LawSettings:
    """Peak learning rate and batch by size: each `train` setting times (N / parameters)^power.

    N are the parameters (matrices and head) of the size's Transformer, attention and MLP in turn,
    so that every pattern of a size has the same rate, the same batch and the same text.
    """

    parameters: Positive = Field(
        106_496, description="N that train.learning_rate and train.batch_size are meant for"
    )
    rate_power: float = Field(-1 / 3, description="power of the learning rate")
    batch_power: float = Field(1 / 3, description="power of the batch size")


@settings
class ScaleConfig:
    """`nasarena scale`."""

    space: InstanceOf[PatternSpace]
    patterns: tuple[str, ...] = Field(
        ("Llama 3.2", "Nemotron-H"),
        description="letters or run lengths as 2A4M, names of hand-made patterns, or references "
        "for all of these",
    )
    aggregates: tuple[str, ...] = Field(
        (), description="folders in which nasarena aggregate wrote aggregate.csv: all its patterns"
    )
    random: int = Field(0, ge=0, description="patterns drawn at random")
    deciles: int = Field(
        0, ge=0, description="patterns from the best and as many from the worst decile of landscape"
    )
    landscape: str = Field(
        "patternbench-quick", description="proxy whose true scores the deciles are those of"
    )
    scores: tuple[str, ...] = Field(
        tuple(f"patternbench-{name}" for name in SUITE),
        description="landscapes, and trained proxies as quick, that score the patterns: scores.csv",
    )
    draw: int = Field(0, ge=0, description="which draw of random patterns and of deciles")
    sizes: tuple[str, ...] = Field(
        ("w32", "w48"),
        min_length=1,
        description="names in small_sizes.yaml (experiments/grid) and widths.yaml: w16 to w192, "
        "350M, 1B, 3B",
    )
    extrapolate: Literal["none", "stretch", "stack"] = Field(
        "none",
        description="to the layers of a small size or the parameters of a published one; none: "
        "patterns keep their layers",
    )
    unit: Unit = Field(
        "tokens",
        description="of budgets: tokens, flops (of the training, so each pattern and size has its "
        "own tokens), or tokens_per_parameter (the size's N, see law)",
    )
    budgets: tuple[Positive, ...] = Field(
        (40_000, 80_000), min_length=1, description="what each model is trained for, all from one "
        "trunk"
    )  # fmt: skip
    seeds: int = Field(1, ge=1, description="trainings of each pattern at each size")
    first_seed: int = Field(0, ge=0, description=FIRST_SEED)
    data: TextSettings = TextSettings()
    train: ScaledSettings = ScaledSettings()
    law: LawSettings = LawSettings()
    sweep: tuple[Positive, ...] = Field(
        (),
        description="factors of the learning rate, as [0.5,1,2]: at each size the first pattern is "
        "trained with each, and all take the best",
    )
    engine: Literal["auto", "native", "torch"] = Field(
        "auto", description="native: the proxies' kernels, CPU; auto: these up to 20M parameters"
    )
    device: str = Field("cpu", description="auto: a GPU where there is one; cpu, cuda or cuda:1")
    checkpoint_every: int = Field(200, ge=1, description="steps that a kill costs at most")
    tensorboard: bool = Field(
        False,
        description="write curves of each training for TensorBoard, in the folder tensorboard of "
        "the run",
    )
    plan: bool = Field(False, description="only print what would be trained, and how long it takes")
    report: bool = Field(True, description="at the end draw the figures and fit the laws")
    name: FolderName | None = Field(
        None, description="name of the run; by default made of a hash of the settings"
    )
    folder: str = Field("runs", description="where runs lie")
    workers: Workers = Field(None, description=WORKERS)
