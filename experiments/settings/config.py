"""The settings of the commands: each with its type, its bounds, its default and what it means.

`--help` shows what stands here. `conf/*.yaml` has presets alone: what a named choice (`proxy=text`,
`budget=tokens`) and a command change of these defaults. Nothing below this file sees hydra.
"""

from collections.abc import Mapping
from dataclasses import field, fields
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf

from nasarena.agents.llm.server_command import ServerSettings
from nasarena.experiments.settings.choices import LlmConfig, ProxyConfig
from nasarena.experiments.settings.launcher import LauncherConfig
from nasarena.experiments.settings.registry import TRACKERS, refuse_missing_tool
from nasarena.search.budget import Unit
from nasarena.search.candidates.protocol import Space
from nasarena.search.errors import InvalidSetting
from nasarena.search.loop import FinalistRule, LoopSettings
from nasarena.search.settings import settings
from nasarena.search.space import PatternSpace

Positive = Annotated[float, Field(gt=0)]
Control = Literal["none", "permuted_letters", "seeded"]
# The defaults of a run's rules stand in the loop.
_LOOP: dict[str, Any] = {one.name: one.default for one in fields(LoopSettings)}


def _one_folder(name: str) -> str:
    if not name or name.startswith(".") or "/" in name or "\\" in name:
        raise InvalidSetting(f"must be usable as the name of one folder, got {name!r}")
    return name


FolderName = Annotated[str, AfterValidator(_one_folder)]


@settings
class SpaceConfig:
    """The patterns that are searched."""

    alphabet: str = Field(
        PatternSpace().alphabet,
        description="one letter per layer kind: A attention, M MLP, S Mamba-2",
    )
    depth: int = Field(PatternSpace().depth, ge=1, description="layers")

    def __post_init__(self) -> None:
        PatternSpace(self.alphabet, self.depth)


@settings
class BudgetConfig:
    """`amount` in `unit`, or `patterns` times the mean cost of a pattern: exactly one of them."""

    unit: Unit = Field("flops", description="flops, device_seconds, tokens or trials")
    amount: Positive | None = Field(
        None, description="the budget in that unit; given, it replaces patterns"
    )
    patterns: Positive | None = Field(
        None,
        description="the budget as a number of average patterns: this many times the mean cost; "
        "by default 72, 36 on quick, 12 on mad and text",
    )
    charge_llm: bool = Field(
        False,
        description="also pay for language models from this budget (flops or device_seconds)",
    )

    def __post_init__(self) -> None:
        if (self.amount is None) == (self.patterns is None):
            raise InvalidSetting(
                "amount or budget.patterns must be given, exactly one of them, "
                f"got {self.amount} and {self.patterns}"
            )


@settings
class LoopConfig:
    """The rules of a run, the same for every searcher; see `nasarena.search.loop`."""

    initial_design: int = Field(
        _LOOP["initial_design"],
        ge=0,
        description="random patterns that every searcher starts from, charged; 0 studies the cold "
        "start",
    )
    parallel: int = Field(_LOOP["parallel"], ge=1, description="patterns asked for at once")
    duplicates: Literal["reuse", "retrain"] = Field(
        _LOOP["duplicates"],
        description="reuse: a repeated pattern is answered from the record, free; retrain: trained "
        "again, charged",
    )
    max_duplicates: int = Field(
        _LOOP["max_duplicates"],
        ge=1,
        description="free trials (duplicates, invalid proposals) in a row that end a run",
    )
    ask_timeout_s: float = Field(
        _LOOP["ask_timeout_s"],
        ge=0,
        description="seconds after which an ask that has not answered is a failure; 0: never",
    )
    finalists: Annotated[int, Field(ge=0)] | None = Field(
        None,
        description="patterns of a run to train again on held-out data after the search, not "
        f"charged; null: {_LOOP['finalists']}, or every pattern where the budget pays for fewer",
    )
    final_replicates: int = Field(
        _LOOP["final_replicates"],
        ge=0,
        description="trainings of each of them; 1 where trainings take long (quick, mad, text)",
    )
    finalists_by: FinalistRule = Field(
        _LOOP["finalists_by"],
        description="which patterns are best: score, the highest observed; model, the highest "
        "posterior mean of one model of the run's own trials, the same for every searcher",
    )


@settings
class Successor:
    """Who continues a run on the same record and budget; nobody where it has no name."""

    name: str | None = Field(
        None,
        description="then=NAME, or a file: a searcher that goes on with the run, told all trials",
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="its options, as then.options.population=20"
    )
    share: float = Field(
        0.5, gt=0, lt=1, description="of the budget, spent before it takes over from the first"
    )
    record: str | None = Field(
        None,
        description="in the place of a first searcher: the folder of a finished run, as "
        "runs/NAME/SEARCHER/seed-0, whose trials are asked and charged again",
    )

    def __post_init__(self) -> None:
        if self.name is None and (self.options or self.record or self.share != 0.5):
            raise InvalidSetting(
                "name must say which searcher goes on, as then=evolution, got none with "
                "settings of its own"
            )


def _successor(entry: Any) -> Any:
    return {"name": entry} if isinstance(entry, str) else entry


@settings
class SearcherConfig:
    """One searcher: a name, or a file of the user's as `my_file.py:my_searcher`.

    `label` is what tables call it and where its runs lie; `control` makes it a control of itself
    (`nasarena.experiments.comparison.permuted`, `.seeded`), which is shown beside it and never
    ranked. `then` is who goes on after a share of the budget (`.hand_over`), a name or
    {name:evolution,options:{population:20},share:0.5}.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    label: str | None = None
    control: Control = "none"
    then: Annotated[Successor, BeforeValidator(_successor)] = Successor()


def as_searcher(entry: Any) -> Any:
    """A searcher as it is written in a list: a name, or a mapping with one."""
    if isinstance(entry, str):
        return {"name": entry}
    if isinstance(entry, SearcherConfig) or (isinstance(entry, Mapping) and "name" in entry):
        return entry
    raise InvalidSetting(
        f"must be names, my_file.py:my_searcher or {{name:...,options:{{...}}}}, got {entry!r}"
    )


# What several commands have.
Workers = Annotated[int, Field(ge=1)] | None
WORKERS = "worker processes, one thread each; by default one per core"
FIRST_SEED = "seeds count up from here"
CACHE = "take trainings that were done before from the evaluation cache"


@settings
class OwnSearcher:
    """A searcher of the user's own, beside those that are named."""

    path: str | None = Field(None, description="a searcher of your own, as my_file.py:my_searcher")
    options: dict[str, Any] = Field(
        default_factory=dict, description="its options, as searcher.options.population=20"
    )


@settings
class ChosenSearcher(OwnSearcher):
    """The searcher of a run."""

    name: str = "random"


@settings
class _Comparison:
    """What `compare` and `run` have in common."""

    proxy: InstanceOf[ProxyConfig]
    space: InstanceOf[Space]
    budget: BudgetConfig
    loop: LoopConfig = LoopConfig()
    llm: InstanceOf[LlmConfig] = LlmConfig()
    final_proxy: str | None = Field(
        None,
        description="trains the best patterns again for the final score; null: the proxy searched, "
        "or quick after patternbench",
    )
    name: FolderName | None = Field(
        None,
        description="name of the comparison; by default made of the proxy and a hash of the "
        "settings",
    )
    folder: str = Field("runs", description="where comparisons lie")
    launcher: InstanceOf[LauncherConfig] = LauncherConfig()
    workers: Workers = Field(
        None, description=f"{WORKERS}, here or of the Ray cluster; 64 jobs at once on Slurm"
    )
    cache: bool = Field(True, description=f"{CACHE}; the charge is the same")
    retry_failed: bool = Field(False, description="try again what failed before")
    overwrite: bool = Field(
        False,
        description="remove recorded runs of another version of a searcher, or of other settings, "
        "and run again; else a changed searcher goes by the next label, as mine-2",
    )
    trackers: tuple[Literal["mlflow", "wandb", "tensorboard"], ...] = Field(
        (), description="tools that show the runs while they go on: mlflow, wandb, tensorboard"
    )
    live: Annotated[int, Field(ge=1024, le=65535)] | bool = Field(
        False,
        description="a page with the curves as they grow, for this machine alone: true, or a port",
    )

    def __post_init__(self) -> None:
        for name in self.trackers:
            refuse_missing_tool(name, TRACKERS[name])


@settings
class CompareConfig(_Comparison):
    """`nasarena compare`."""

    searchers: tuple[Annotated[SearcherConfig, BeforeValidator(as_searcher)], ...] = Field(
        (),
        min_length=1,
        description="names, files as my_file.py:my_searcher, or "
        "{name:evolution,options:{population:20},label:small}; then:NAME continues one by another",
    )
    searcher: OwnSearcher = OwnSearcher()
    controls: tuple[Literal["permuted_letters", "seeded"], ...] = Field(
        (),
        description="each searcher once more, not ranked: [permuted_letters] shows it permuted "
        "letters, [seeded] tells it the hand-made patterns first, charged",
    )
    only: tuple[str, ...] = Field(
        (),
        description="do this part of the searchers now, by label or as agent-*; the same command "
        "with another part adds to the same comparison",
    )
    llm_label: FolderName | None = Field(
        None,
        description="joins the labels of agents, so that one comparison can have several models",
    )
    estimate: bool = Field(
        False,
        description="before it begins say how long language models will take, from a few requests",
    )
    seeds: int = Field(
        20,
        ge=1,
        description="runs of every searcher, each on its own frozen noisy landscape; 3 on quick, "
        "mad and text",
    )
    first_seed: int = Field(0, ge=0, description=FIRST_SEED)
    references: bool = Field(
        True,
        description="also score hand-made patterns (Llama, Nemotron-H, Jamba ...) on the first "
        "three seeds; no budget pays for them",
    )
    report: bool = Field(
        True,
        description="at the end draw the figures and write report.html; nasarena figures does it "
        "later too",
    )


@settings
class RunConfig(_Comparison):
    """`nasarena run`: a searcher on a seed of a comparison."""

    searcher: ChosenSearcher = ChosenSearcher()
    then: Successor = Successor()
    seed: int = Field(
        0,
        ge=0,
        description="which frozen noisy landscape, and the searcher's own random stream",
    )


@settings
class EvaluateConfig:
    """`nasarena evaluate`."""

    proxy: InstanceOf[ProxyConfig]
    space: InstanceOf[PatternSpace]
    seeds: int = Field(
        1,
        ge=1,
        description="trainings of each pattern, each on its own frozen noisy landscape",
    )
    first_seed: int = Field(0, ge=0, description=FIRST_SEED)
    split: Literal["search", "held_out"] = Field(
        "search",
        description="search: what searchers see; held_out: data that no search score was computed "
        "on",
    )
    workers: Workers = Field(None, description=WORKERS)
    cache: bool = Field(True, description=CACHE)


@settings
class CheckConfig:
    """`nasarena check`."""

    options: dict[str, Any] = Field(
        default_factory=dict, description="options of the searcher, as options.population=20"
    )
    trials: int = Field(
        100,
        ge=20,
        description="trials of each run against random search; fewer for a searcher that thinks "
        "long",
    )
    # Fewer seeds cannot reach p < .01.
    seeds: int = Field(20, ge=7, description="paired runs against random search")
    folder: str = Field("runs", description="where the runs of the check lie")
    workers: Workers = Field(None, description=WORKERS)


@settings
class ServeConfig(ServerSettings):
    """`nasarena serve`."""

    port: int = Field(8000, ge=0, le=65535, description="0 takes a free one")
    folder: str = Field(
        "runs/server", description="where server.json with its address, and its log, are written"
    )
