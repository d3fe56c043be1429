"""From what a user writes to the checked settings of a command: the one edge.

Arguments of the command line and keywords of Python mean the same and are read by one function for
each command:

    compare_settings(["proxy=quick", "seeds=5", "budget.patterns=24", "loop.finalists=1"])
    compare_settings(proxy="quick", seeds=5, budget={"patterns": 24}, loop={"finalists": 1})
    compare_settings(searchers=["random", {"name": "tpe", "options": {"num_startup": 6}}],
                     proxy={"name": "quick", "train": {"steps": 20}})

A group is given by the name of a choice, by its settings (of the choice by default), or by both.
Whatever is not given has its default. What is wrong raises InvalidSetting in one line that names
the setting.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from nasarena.agents.llm.server_command import ServerSettings
from nasarena.experiments.settings.aggregate_settings import AggregateConfig
from nasarena.experiments.settings.audit_settings import AuditConfig
from nasarena.experiments.settings.choices import (
    LlmConfig,
    ProxyConfig,
    choose_llm,
    choose_proxy,
)
from nasarena.experiments.settings.config import (
    CheckConfig,
    CompareConfig,
    EvaluateConfig,
    OwnSearcher,
    RunConfig,
    SearcherConfig,
    ServeConfig,
    SpaceConfig,
)
from nasarena.experiments.settings.design_settings import DesignConfig
from nasarena.experiments.settings.exchange_settings import ExportConfig, ImportConfig
from nasarena.experiments.settings.launcher import LauncherConfig, choose_launcher
from nasarena.experiments.settings.overrides import Asked, compose, parse_overrides
from nasarena.experiments.settings.saved_model_settings import DownstreamConfig, InferenceConfig
from nasarena.experiments.settings.scale_settings import ScaleConfig
from nasarena.search.errors import InvalidSetting, setting_names
from nasarena.search.settings import build
from nasarena.search.space import PatternSpace

Settings = TypeVar("Settings")


def compare_settings(arguments: Sequence[str] = (), /, **values: Any) -> CompareConfig:
    """Settings of `nasarena compare`: `searchers`, `proxy`, `seeds`, `budget`, `loop`, ..."""
    asked = _asked(arguments, values)
    if "then" in asked.choices:
        raise InvalidSetting(
            "then= belongs to nasarena run; in a comparison a searcher is continued as "
            "searchers=[random,{name:random,then:evolution}]"
        )
    config = _read(CompareConfig, "compare", asked)
    if any(searcher.then.record for searcher in config.searchers):
        raise InvalidSetting("then.record continues one run: give it to nasarena run")
    own = config.searcher
    if own.path is not None:
        searcher = SearcherConfig(own.path, own.options)
        return replace(config, searchers=(*config.searchers, searcher), searcher=OwnSearcher())
    if own.options:
        raise InvalidSetting(
            "searcher.options are those of searcher.path, which is not given; options of a named "
            "searcher are written searchers=[random,{name:evolution,options:{population:20}}]"
        )
    return config


def run_settings(arguments: Sequence[str] = (), /, **values: Any) -> CompareConfig:
    """Settings of `nasarena run`, a comparison of one searcher on one seed."""
    asked = _asked(arguments, values)
    config = _read(RunConfig, "run", asked)
    own = config.searcher
    if own.path is not None and "searcher" in asked.choices:
        raise InvalidSetting("give either searcher=NAME or searcher.path=FILE:NAME, not both")
    if config.then.record is not None and (own.path is not None or "searcher" in asked.choices):
        raise InvalidSetting(
            "give either a searcher or the run to continue (then.record), not both"
        )
    own_names = ("searcher", "then", "seed")
    shared = {one.name: getattr(config, one.name) for one in fields(RunConfig)}
    shared = {name: value for name, value in shared.items() if name not in own_names}
    searcher = SearcherConfig(own.path or own.name, own.options, then=config.then)
    return CompareConfig(
        **shared, searchers=(searcher,), seeds=1, first_seed=config.seed, references=False
    )


def evaluate_settings(arguments: Sequence[str] = (), /, **values: Any) -> EvaluateConfig:
    """Settings of `nasarena evaluate`: `proxy`, `space`, `seeds`, `split`, ..."""
    return _read(EvaluateConfig, "evaluate", _asked(arguments, values))


def audit_settings(arguments: Sequence[str] = (), /, **values: Any) -> AuditConfig:
    """Settings of `nasarena audit`: `proxy`, `patterns`, `seeds`, `axes`, ..."""
    return _read(AuditConfig, "audit", _asked(arguments, values))


def aggregate_settings(arguments: Sequence[str] = (), /, **values: Any) -> AggregateConfig:
    """Settings of `nasarena aggregate`: `seeds`, `clusters`, `out`, ..."""
    return _read(AggregateConfig, "aggregate", _asked(arguments, values))


def downstream_settings(arguments: Sequence[str] = (), /, **values: Any) -> DownstreamConfig:
    """Settings of `nasarena downstream`: `tasks`, `questions`, `text`, ..."""
    return _read(DownstreamConfig, "downstream", _asked(arguments, values))


def inference_settings(arguments: Sequence[str] = (), /, **values: Any) -> InferenceConfig:
    """Settings of `nasarena inference`: `contexts`, `batch`, `new_tokens`, ..."""
    return _read(InferenceConfig, "inference", _asked(arguments, values))


def scale_settings(arguments: Sequence[str] = (), /, **values: Any) -> ScaleConfig:
    """Settings of `nasarena scale`: `preset`, `patterns`, `sizes`, `budgets`, `seeds`, ..."""
    return _read(ScaleConfig, "scale", _asked(arguments, values))


def export_settings(arguments: Sequence[str] = (), /, **values: Any) -> ExportConfig:
    """Settings of `nasarena export` for runs: `to` and `out`."""
    return _read(ExportConfig, "export", _asked(arguments, values))


def import_settings(arguments: Sequence[str] = (), /, **values: Any) -> ImportConfig:
    """Settings of `nasarena import`: `study`, `name`, `label`, ..."""
    return _read(ImportConfig, "import", _asked(arguments, values))


def design_settings(arguments: Sequence[str] = (), /, **values: Any) -> DesignConfig:
    """Settings of `nasarena design`: `task`, `mode`, `searchers`, `seeds`, `trials`, ..."""
    return _read(DesignConfig, "design", _asked(arguments, values))


def check_settings(arguments: Sequence[str] = (), /, **values: Any) -> CheckConfig:
    """Settings of `nasarena check`: `options`, `trials`, `seeds`, ..."""
    return _read(CheckConfig, "check", _asked(arguments, values))


def serve_settings(
    model: str, arguments: Sequence[str] = (), /, **values: Any
) -> tuple[ServerSettings, Path]:
    """Settings of `nasarena serve` for a model, and the folder of its address and log."""
    config = _read(ServeConfig, "serve", _asked(arguments, {**values, "model": model}))
    return config, Path(config.folder)


def _asked(arguments: Sequence[str], values: Mapping[str, Any]) -> Asked:
    asked = parse_overrides(arguments)
    for key, value in values.items():
        asked.put(key, value)
    # An address alone says which choice is meant.
    for group, setting, choice in (("llm", "base_url", "server"), ("launcher", "address", "ray")):
        if asked.has(group, setting):
            asked.choices.setdefault(group, choice)
    return asked


def _read(cls: type[Settings], command: str, asked: Asked) -> Settings:
    """The settings of a command, its groups first."""
    given = compose(command, asked)
    names = {one.name for one in fields(cls)}  # type: ignore[arg-type]
    known: list[str] = []
    for group, read in _GROUPS.items():
        if group in names:
            given[group], own = read(given.get(group, {}))
            known += [f"{group}.{name}" for name in own]
    if "budget" in names and asked.has("budget", "amount") and not asked.has("budget", "patterns"):
        given["budget"] = {**given["budget"], "patterns": None}  # a default that it replaces
    if "seeds" not in names and not asked.has("seeds"):
        given.pop("seeds", None)  # how large a comparison is, and one run is not
    if command == "audit" and (changes := _changes(given)):
        given["settings"] = {**given["settings"], "changes": changes}
    return build(cls, given, known=known)


def _read_proxy(given: Mapping[str, Any]) -> tuple[ProxyConfig, list[str]]:
    options = {name: value for name, value in given.items() if name != "name"}
    config = choose_proxy(str(given["name"]), options)
    return config, setting_names(type(config.settings))


def _read_llm(given: Mapping[str, Any]) -> tuple[LlmConfig, list[str]]:
    options = {name: value for name, value in given.items() if name != "name"}
    config = choose_llm(str(given.get("name", LlmConfig().name)), options)
    return config, setting_names(type(config.settings))


def _read_launcher(given: Mapping[str, Any]) -> tuple[LauncherConfig, list[str]]:
    options = {name: value for name, value in given.items() if name != "name"}
    config = choose_launcher(str(given.get("name", LauncherConfig().name)), options)
    return config, setting_names(type(config.settings))


def _read_space(given: Mapping[str, Any]) -> tuple[PatternSpace, list[str]]:
    config = build(SpaceConfig, given, "space")
    return PatternSpace(config.alphabet, config.depth), setting_names(SpaceConfig)


_GROUPS: dict[str, Callable[[Mapping[str, Any]], tuple[Any, list[str]]]] = {
    "proxy": _read_proxy,
    "space": _read_space,
    "llm": _read_llm,
    "launcher": _read_launcher,
}


def _changes(given: Mapping[str, Any]) -> dict[str, ProxyConfig]:
    """The proxy of an audit under each of the user's changes."""
    wanted = given.get("settings", {})
    changes = wanted.get("changes", {}) if isinstance(wanted, Mapping) else {}
    if not isinstance(changes, Mapping):
        return {}  # for the class to refuse
    found = {}
    for name, change in changes.items():
        if not isinstance(change, Mapping) or not change:
            raise InvalidSetting(
                f"settings.changes.{name} must hold settings of the proxy, such as "
                f"settings.changes.{name}.train.batch_size=32, got {change!r}"
            )
        found[name] = given["proxy"].with_changes(change, f"settings.changes.{name}")
    return found
