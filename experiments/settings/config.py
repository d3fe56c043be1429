"""The settings of the commands: frozen dataclasses, filled from `conf/` and validated.

Types and rules stand here; values by default and what each setting means stand in `conf/*.yaml`,
which is also what `--help` shows. Nothing below this file sees hydra or OmegaConf.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nasarena.agents.llm.server import ServerSettings
from nasarena.experiments.settings.overrides import compose_settings
from nasarena.experiments.settings.typed import build_dataclass, coerce
from nasarena.search.budget import Unit
from nasarena.search.errors import InvalidSetting
from nasarena.search.space import PatternSpace


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """A proxy by name, with its own settings (in YAML they stand beside the name)."""

    name: str
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BudgetConfig:
    """`amount` in `unit`, or `patterns` times the mean cost of a pattern: exactly one of them."""

    unit: Unit
    amount: float | None
    patterns: float | None
    charge_llm: bool

    def __post_init__(self) -> None:
        for name in ("amount", "patterns"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise InvalidSetting(f"budget.{name} must be positive and finite, got {value:g}")
        if (self.amount is None) == (self.patterns is None):
            raise InvalidSetting(
                "exactly one of budget.amount and budget.patterns must be given, "
                f"got {self.amount} and {self.patterns}"
            )


@dataclass(frozen=True, slots=True)
class LoopConfig:
    """The rules of a run, the same for every searcher; see `nasarena.search.loop`."""

    initial_design: int
    parallel: int
    duplicates: Literal["reuse", "retrain"]
    max_duplicates: int
    ask_timeout_s: float
    top_k: int
    final_replicates: int


Control = Literal["none", "permuted_letters"]


@dataclass(frozen=True, slots=True)
class SearcherConfig:
    """One searcher: a name, or a file of the user's as `my_file.py:my_searcher`.

    `label` is what tables call it and where its runs lie; `control` makes it a control of itself
    (`nasarena.experiments.comparison.permuted`), which is shown beside it and never ranked.
    """

    name: str
    options: dict[str, Any]
    label: str | None = None
    control: Control = "none"


@dataclass(frozen=True, slots=True)
class LlmConfig:
    """How the agents reach a language model: a choice of `conf/llm`, with its settings."""

    name: str
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CompareConfig:
    """`nasarena compare`."""

    searchers: tuple[SearcherConfig, ...]
    seeds: int
    first_seed: int
    proxy: ProxyConfig
    final_proxy: str | None
    space: PatternSpace
    budget: BudgetConfig
    loop: LoopConfig
    references: bool
    name: str | None
    folder: str
    workers: int | None
    cache: bool
    retry_failed: bool
    report: bool
    llm: LlmConfig = LlmConfig("scribe", {})
    controls: tuple[Literal["permuted_letters"], ...] = ()

    def __post_init__(self) -> None:
        _at_least("seeds", self.seeds, 1)
        _at_least("first_seed", self.first_seed, 0)
        _at_least("workers", self.workers, 1)
        _check_name(self.name)
        if not self.searchers:
            raise InvalidSetting("searchers must name at least one searcher, got none")


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """`nasarena evaluate`."""

    proxy: ProxyConfig
    space: PatternSpace
    seeds: int
    first_seed: int
    split: Literal["search", "held_out"]
    workers: int | None
    cache: bool

    def __post_init__(self) -> None:
        _at_least("seeds", self.seeds, 1)
        _at_least("first_seed", self.first_seed, 0)
        _at_least("workers", self.workers, 1)


@dataclass(frozen=True, slots=True)
class SampleConfig:
    """An axis of an audit: what its factors multiply, on how many patterns and seeds."""

    factors: tuple[float, ...]
    patterns: int
    seeds: int


@dataclass(frozen=True, slots=True)
class DepthConfig(SampleConfig):
    """The depth axis; `rules` say how a pattern is stretched."""

    rules: tuple[Literal["repeat", "tile"], ...]


@dataclass(frozen=True, slots=True)
class ChangesConfig:
    """The axis of the user's own: changed settings of the proxy, by name."""

    changes: dict[str, Any]
    patterns: int
    seeds: int


Axis = Literal["seeds", "tasks", "steps", "width", "depth", "settings"]


@dataclass(frozen=True, slots=True)
class AuditConfig:
    """`nasarena audit`."""

    proxy: ProxyConfig
    space: PatternSpace
    patterns: int
    seeds: int
    first_seed: int
    axes: tuple[Axis, ...] | None
    steps: SampleConfig
    width: SampleConfig
    depth: DepthConfig
    settings: ChangesConfig
    picks: tuple[int, ...]
    gaps: tuple[float, ...]
    trainings: int
    threshold: float
    workers: int | None
    cache: bool
    folder: str
    name: str | None

    def __post_init__(self) -> None:
        _at_least("patterns", self.patterns, 3)
        _at_least("seeds", self.seeds, 2)
        _at_least("first_seed", self.first_seed, 0)
        _at_least("trainings", self.trainings, 1)
        _at_least("workers", self.workers, 1)
        for axis in ("steps", "width", "depth", "settings"):
            sample: SampleConfig | ChangesConfig = getattr(self, axis)
            _at_least(f"{axis}.patterns", sample.patterns, 3)
            _at_least(f"{axis}.seeds", sample.seeds, 1)
        for axis in ("width", "depth"):
            for factor in getattr(self, axis).factors:
                if factor < 2 or factor % 1:
                    raise InvalidSetting(
                        f"{axis}.factors must be whole numbers from 2 on, got {factor:g}"
                    )
        for name, values in (
            ("steps.factors", self.steps.factors),
            ("gaps", self.gaps),
            ("picks", self.picks),
        ):
            for value in values:
                if not 0 < value < float("inf"):
                    raise InvalidSetting(f"{name} must be positive and finite, got {value:g}")
        if not 0 <= self.threshold <= 1:
            raise InvalidSetting(f"threshold must be between 0 and 1, got {self.threshold:g}")
        _check_name(self.name)


@dataclass(frozen=True, slots=True)
class CheckConfig:
    """`nasarena check`."""

    options: dict[str, Any]
    trials: int
    seeds: int
    folder: str
    workers: int | None

    def __post_init__(self) -> None:
        _at_least("trials", self.trials, 20)
        _at_least("seeds", self.seeds, 7)  # fewer cannot reach p < .01
        _at_least("workers", self.workers, 1)


def compare_config(arguments: Sequence[str]) -> CompareConfig:
    """The settings of `nasarena compare` under these overrides."""
    plain = compose_settings("compare", _with_server(arguments))
    own = plain.pop("searcher")
    if not isinstance(plain["searchers"], list):
        raise InvalidSetting(
            f"searchers must be a list such as [random,tpe], got {plain['searchers']!r}"
        )
    entries = [_searcher(entry) for entry in plain["searchers"]]
    if own["path"] is not None:
        entries.append(SearcherConfig(str(own["path"]), dict(own["options"])))
    elif own["options"]:
        raise InvalidSetting(
            "searcher.options are those of searcher.path, which is not given; options of a named "
            "searcher are written searchers=[random,{name:evolution,options:{population:20}}]"
        )
    return build_dataclass(
        CompareConfig, _prepare(plain, arguments) | {"searchers": tuple(entries)}
    )


def run_config(arguments: Sequence[str]) -> CompareConfig:
    """The settings of `nasarena run`: a comparison of one searcher on one seed."""
    plain = compose_settings("run", _with_server(arguments))
    own, seed = plain.pop("searcher"), plain.pop("seed")
    name = own["name"]
    if own["path"] is not None:
        if any(argument.startswith("searcher=") for argument in arguments):
            raise InvalidSetting("give either searcher=NAME or searcher.path=FILE:NAME, not both")
        name = str(own["path"])
    one = {"searchers": (SearcherConfig(name, dict(own["options"])),), "seeds": 1, "report": True}
    rest = {"first_seed": seed, "references": False, "controls": ()}
    return build_dataclass(CompareConfig, _prepare(plain, arguments) | one | rest)


def evaluate_config(arguments: Sequence[str]) -> EvaluateConfig:
    """The settings of `nasarena evaluate`."""
    return build_dataclass(
        EvaluateConfig, _prepare(compose_settings("evaluate", arguments), arguments)
    )


def audit_config(arguments: Sequence[str]) -> AuditConfig:
    """The settings of `nasarena audit`."""
    return build_dataclass(AuditConfig, _prepare(compose_settings("audit", arguments), arguments))


def serve_config(model: str, arguments: Sequence[str]) -> tuple[ServerSettings, Path]:
    """The settings of `nasarena serve`, and the folder for address and log."""
    plain = compose_settings("serve", arguments)
    folder = Path(coerce(plain.pop("folder"), str, "folder"))
    return build_dataclass(ServerSettings, {**plain, "model": model}), folder


def check_config(arguments: Sequence[str]) -> CheckConfig:
    """The settings of `nasarena check`."""
    return build_dataclass(CheckConfig, compose_settings("check", arguments))


def _prepare(plain: dict[str, Any], arguments: Sequence[str]) -> dict[str, Any]:
    """Settings in the shape of the dataclasses."""
    proxy = dict(plain["proxy"])
    plain["proxy"] = {"name": proxy.pop("name"), "options": proxy}
    if "llm" in plain:
        llm = dict(plain["llm"])
        plain["llm"] = {"name": llm.pop("name"), "options": llm}
    budget = plain.get("budget")
    if budget is not None and budget["amount"] is not None:
        if not any(argument.startswith("budget.patterns=") for argument in arguments):
            budget["patterns"] = None  # a default that the user's amount replaces
    return plain


def _with_server(arguments: Sequence[str]) -> list[str]:
    """An address alone says which choice of `llm` is meant."""
    chosen = any(argument.startswith("llm=") for argument in arguments)
    addressed = any(argument.startswith("llm.base_url=") for argument in arguments)
    return [*(["llm=server"] if addressed and not chosen else []), *arguments]


def _searcher(entry: Any) -> SearcherConfig:
    if isinstance(entry, str):
        return SearcherConfig(entry, {})
    if (
        isinstance(entry, Mapping)
        and "name" in entry
        and entry.keys() <= {"name", "options", "label", "control"}
    ):
        defaults: dict[str, Any] = {"options": {}, "label": None, "control": "none"}
        return build_dataclass(SearcherConfig, defaults | dict(entry), "searchers")
    raise InvalidSetting(
        f"a searcher is a name, my_file.py:my_searcher or {{name:...,options:{{...}}}}, "
        f"got {entry!r}"
    )


def _at_least(name: str, value: int | None, bound: int) -> None:
    if value is not None and value < bound:
        raise InvalidSetting(f"{name} must be at least {bound}, got {value}")


def _check_name(name: str | None) -> None:
    if name is not None and (not name or name.startswith(".") or "/" in name or "\\" in name):
        raise InvalidSetting(f"name must be usable as the name of one folder, got {name!r}")
