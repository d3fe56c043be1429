"""The settings of a command from Python values: what the command line reads from text.

    compare_settings(searchers=["random", {"name": "tpe", "options": {"num_startup": 6}}],
                     proxy="quick", seeds=5, budget={"patterns": 24}, loop={"top_k": 1})

A group is given by the name of a choice (`proxy="quick"`), by its settings (`budget={"patterns":
24}`, of the choice by default), or by both (`proxy={"name": "quick", "train": {"steps": 20}}`; for
`space` and `budget`, whose settings hold no name, it is the choice all the same). Whatever is not
given has its default, as on the command line; everything is checked, and what is wrong raises
InvalidSetting with one line that names the setting.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nasarena.agents.llm.server import ServerSettings
from nasarena.experiments.settings.config import (
    AuditConfig,
    CheckConfig,
    CompareConfig,
    EvaluateConfig,
    audit_config,
    check_config,
    compare_config,
    evaluate_config,
    run_config,
    serve_config,
)

_GROUPS = ("searcher", "proxy", "space", "budget", "loop", "llm")


def compare_settings(**values: Any) -> CompareConfig:
    """Settings of `nasarena compare`: `searchers`, `proxy`, `seeds`, `budget`, `loop`, ..."""
    return compare_config(list(_overrides(values, _GROUPS[1:])))


def run_settings(**values: Any) -> CompareConfig:
    """Settings of `nasarena run`: `searcher`, `seed`, `proxy`, `budget`, ..."""
    return run_config(list(_overrides(values, _GROUPS)))


def evaluate_settings(**values: Any) -> EvaluateConfig:
    """Settings of `nasarena evaluate`: `proxy`, `space`, `seeds`, `split`, ..."""
    return evaluate_config(list(_overrides(values, _GROUPS)))


def audit_settings(**values: Any) -> AuditConfig:
    """Settings of `nasarena audit`: `proxy`, `patterns`, `seeds`, `axes`, ..."""
    return audit_config(list(_overrides(values, _GROUPS)))


def check_settings(**values: Any) -> CheckConfig:
    """Settings of `nasarena check`: `options`, `trials`, `seeds`, ..."""
    return check_config(list(_overrides(values, ())))


def serve_settings(model: str, **values: Any) -> tuple[ServerSettings, Path]:
    """Settings of `nasarena serve` for a model, and the folder of its address and log."""
    return serve_config(model, list(_overrides(values, ())))


def _overrides(values: Mapping[str, Any], groups: Sequence[str]) -> Iterator[str]:
    for key, value in values.items():
        if key in groups and isinstance(value, str):
            yield f"{key}={value}"
        elif key in groups and isinstance(value, Mapping):
            own = dict(value)
            if "name" in own:
                yield f"{key}={own.pop('name')}"
            yield from _leaves(own, f"{key}.")
        else:
            yield from _leaves({key: value})


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}={_text(value)}"


def _text(value: Any) -> str:
    """A value in the grammar of the command line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_text, value)) + "]"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"
