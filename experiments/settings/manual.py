"""What `nasarena COMMAND --help` says: every setting, read off the classes and the presets.

Of a group of choices the chosen one is shown whole (`nasarena run searcher=agent-mcts --help`), of
the others what they have besides or otherwise.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from textwrap import wrap
from typing import Any

from nasarena.experiments.settings.aggregate_settings import AggregateConfig
from nasarena.experiments.settings.audit_settings import AuditConfig
from nasarena.experiments.settings.choices import LLMS, LlmConfig
from nasarena.experiments.settings.config import (
    BudgetConfig,
    CheckConfig,
    ChosenSearcher,
    CompareConfig,
    EvaluateConfig,
    OwnSearcher,
    RunConfig,
    ServeConfig,
    SpaceConfig,
)
from nasarena.experiments.settings.design_settings import DesignConfig
from nasarena.experiments.settings.exchange_settings import ExportConfig, ImportConfig
from nasarena.experiments.settings.launcher import LAUNCHERS, LauncherConfig
from nasarena.experiments.settings.overrides import CONF, choices_of, groups_of
from nasarena.experiments.settings.registry import (
    PROXIES,
    SEARCHERS,
    load_proxy_settings,
    load_searcher,
)
from nasarena.experiments.settings.saved_model_settings import DownstreamConfig, InferenceConfig
from nasarena.experiments.settings.scale_settings import ScaleConfig
from nasarena.search.errors import classes_in
from nasarena.search.settings import ByBudget

COMMANDS: dict[str, type[Any]] = {
    "compare": CompareConfig,
    "run": RunConfig,
    "evaluate": EvaluateConfig,
    "audit": AuditConfig,
    "aggregate": AggregateConfig,
    "downstream": DownstreamConfig,
    "inference": InferenceConfig,
    "scale": ScaleConfig,
    "design": DesignConfig,
    "export": ExportConfig,
    "import": ImportConfig,
    "check": CheckConfig,
    "serve": ServeConfig,
}
_WIDTH = 100
_COLUMN = 34  # where explanations begin


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting as the manual shows it."""

    key: str
    default: str
    text: str


@dataclass(frozen=True, slots=True)
class Group:
    """Choices of a group: their names, what each of them is, and the settings it has."""

    default: str
    names: Sequence[str]
    about: Callable[[str], str]
    entries: Callable[[str], list[Entry]]


def manual(command: str, usage: str, summary: str, arguments: Sequence[str] | None) -> str:
    """The help of a command; `arguments` may choose what is shown whole, None: no settings."""
    lines = [f"usage: nasarena {command} {usage}".rstrip(), "", *wrap(summary, _WIDTH)]
    if arguments is None:
        return "\n".join(lines)
    groups = choice_groups(command)
    plain = settings_of(COMMANDS[command], preset_of(command))
    shown = [one for one in plain if one.key.partition(".")[0] not in groups]
    lines += ["", "settings, given as key=value:", *_entries(shown)]
    given = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    for name, group in groups.items():
        choice = given.get(name, group.default)
        lines += ["", *_group(name, group, choice if choice in group.names else group.default)]
    if command == "scale":
        for choice in choices_of("preset"):
            lines += ["", *_entry(f"preset={choice}", description("preset", choice))]
    if command == "compare":
        full = f"scale=full: {description('scale', 'full')}"
        lines += ["", *wrap(full, _WIDTH)]
        lines += ["", "nasarena run searcher=NAME --help shows the options of a searcher"]
    return "\n".join(lines)


def choice_groups(command: str) -> dict[str, Group]:
    """The groups that a command chooses from, in the order of its settings."""
    defaults = groups_of(command)
    makers = {"searcher": _searchers, "proxy": _proxies, "llm": _llms, "launcher": _launchers}
    fields = COMMANDS[command].__pydantic_fields__
    groups = {}
    for name in ("searcher", "proxy", "space", "budget", "llm", "launcher"):
        if name not in fields or (name == "searcher" and command != "run"):
            continue
        groups[name] = makers[name](defaults) if name in makers else _presets(name, defaults)
    return groups


def _searchers(defaults: Mapping[str, str]) -> Group:
    def entries(name: str) -> list[Entry]:
        options = settings_of(load_searcher(name).settings(), {}, "searcher.options.")
        return [own_path, *options]

    (own_path,) = [one for one in settings_of(OwnSearcher, {}, "searcher.") if "path" in one.key]
    names = [name for name in SEARCHERS if name != "references"]
    return Group(
        ChosenSearcher().name,
        names,
        lambda name: _first_paragraph(load_searcher(name).target),
        entries,
    )


def _proxies(defaults: Mapping[str, str]) -> Group:
    def entries(name: str) -> list[Entry]:
        return settings_of(load_proxy_settings(name), preset_of(f"proxy/{name}"), "proxy.")

    return Group(defaults["proxy"], list(PROXIES), partial(description, "proxy"), entries)


def _llms(defaults: Mapping[str, str]) -> Group:
    return Group(
        LlmConfig().name,
        list(LLMS),
        lambda name: _first_paragraph(LLMS[name]),
        lambda name: settings_of(LLMS[name], {}, "llm."),
    )


def _launchers(defaults: Mapping[str, str]) -> Group:
    return Group(
        LauncherConfig().name,
        list(LAUNCHERS),
        lambda name: _first_paragraph(LAUNCHERS[name]),
        lambda name: settings_of(LAUNCHERS[name], {}, "launcher."),
    )


def _presets(group: str, defaults: Mapping[str, str]) -> Group:
    cls = {"space": SpaceConfig, "budget": BudgetConfig}[group]
    return Group(
        defaults[group],
        choices_of(group),
        partial(description, group),
        lambda name: settings_of(cls, preset_of(f"{group}/{name}"), f"{group}."),
    )


def settings_of(cls: type[Any], preset: Mapping[str, Any], path: str = "") -> list[Entry]:
    """Every setting of a class, with a preset over its defaults."""
    found: list[Entry] = []
    for name, setting in cls.__pydantic_fields__.items():
        inner = classes_in(setting.annotation)
        given = preset.get(name, {})
        if inner:
            found += settings_of(inner[0], given, f"{path}{name}.")
        elif setting.description is not None:
            default = given if name in preset else setting.get_default(call_default_factory=True)
            found.append(Entry(f"{path}{name}", _text(default), setting.description))
    return found


def preset_of(file: str) -> dict[str, Any]:
    """What a YAML file of `conf/` sets; nothing where there is none."""
    from yaml import safe_load

    path = CONF / f"{file}.yaml"
    values = safe_load(path.read_text()) if path.exists() else {}
    return {key: value for key, value in (values or {}).items() if key != "defaults"}


def description(group: str, choice: str) -> str:
    """The comment at the top of a preset, as one line; what is meant for hydra is left out."""
    lines = (CONF / group / f"{choice}.yaml").read_text().splitlines()
    comment = takewhile(lambda line: line.startswith("#"), lines)
    return " ".join(line.lstrip("# ") for line in comment if not line.startswith("# @"))


def _first_paragraph(target: Any) -> str:
    paragraph = (inspect.getdoc(target) or "").partition("\n\n")[0]
    return " ".join(paragraph.split())


def _group(name: str, group: Group, chosen: str) -> Iterator[str]:
    """The choices, the settings of the chosen one, and what others have besides or otherwise."""
    yield f"{name}={chosen}  one of:"
    for choice in group.names:
        yield from _entry(f"  {name}={choice}", group.about(choice))
    first: dict[str, Entry] = {}
    for choice in [chosen, *(one for one in group.names if one != chosen)]:
        entries = group.entries(choice)
        shown = [one for one in entries if first.get(one.key) != one]
        first = {one.key: one for one in entries} | first
        if shown:
            rest = "" if len(shown) == len(entries) else ", the others as they stand first"
            yield f"settings of {name}={choice}{rest}:"
            yield from _entries(shown)


def _entries(entries: Iterable[Entry]) -> Iterator[str]:
    for one in entries:
        yield from _entry(f"  {one.key}={one.default}", one.text)


def _text(value: Any) -> str:
    """A default as it is written on the command line, or what it is derived from."""
    if isinstance(value, ByBudget):
        return f"({value.words})"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_text, value)) + "]"
    return str(value)


def _entry(left: str, text: str) -> Iterator[str]:
    """An entry in two columns; a long left side has lines of its own."""
    lines = wrap(text, _WIDTH - _COLUMN) or [""]
    if len(left) + 2 > _COLUMN and text:
        yield from wrap(left, _WIDTH, subsequent_indent=" " * 6, break_on_hyphens=False)
        left = ""
    yield f"{left:{_COLUMN}}{lines[0]}".rstrip()
    for line in lines[1:]:
        yield f"{'':{_COLUMN}}{line}"
