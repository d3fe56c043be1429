"""Every setting of every command, proxy, language model and searcher refuses what is wrong.

The settings are walked, so a new one is tested the moment it is declared: a value of another type
and one beyond each bound end in one line that names the setting, exit code 2 and an empty folder.
"""

from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from nasarena.experiments.commands.cli import main
from nasarena.experiments.settings.choices import LLMS
from nasarena.experiments.settings.config import BudgetConfig, SpaceConfig
from nasarena.experiments.settings.launcher import LAUNCHERS
from nasarena.experiments.settings.manual import COMMANDS
from nasarena.experiments.settings.registry import (
    PROXIES,
    SEARCHERS,
    load_proxy_settings,
    load_searcher,
)
from nasarena.search.errors import classes_in

GROUPS = {"proxy", "space", "budget", "llm", "launcher"}
# No type and no bound to break: options are those of a searcher, changes those of a proxy.
OPEN = {"searcher.options", "options", "settings.changes", "searcher.options.inner"}
NAMES = ("searchers", "searcher.name", "model")  # those of searchers and models: any word will do
HEADS = {
    "compare": ["compare"],
    "run": ["run"],
    "evaluate": ["evaluate", "16A"],
    "audit": ["audit"],
    "aggregate": ["aggregate", "."],
    "downstream": ["downstream", "."],
    "inference": ["inference", "."],
    "scale": ["scale"],
    "design": ["design"],
    "export": ["export", "."],
    "import": ["import", "study.db"],
    "check": ["check", "random"],
    "serve": ["serve", "org/model"],
}
# The command, the setting, its name in the message, and what is declared of it.
Case = tuple[list[str], str, str, FieldInfo]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))


def walk(cls: type[Any], path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every setting of a class with its dotted name."""
    for name, setting in cls.__pydantic_fields__.items():
        inner = classes_in(setting.annotation)
        if inner and get_origin(setting.annotation) is not tuple:
            yield from walk(inner[0], f"{path}{name}.")
        elif f"{path}{name}" not in OPEN:
            yield f"{path}{name}", setting


def wrong_values(hint: Any, bounds: list[Any]) -> list[str]:
    """A value of another type than `hint`, and one beyond each of the bounds."""
    if get_origin(hint) is Annotated:
        hint, *more = get_args(hint)
        return wrong_values(hint, [*bounds, *more])
    if get_origin(hint) in (Union, UnionType):
        members = [one for one in get_args(hint) if one is not NoneType]
        if len(members) > 1:  # a number or a word of some kinds, or a list of them
            return ["{a:1}"]
        return wrong_values(members[0], bounds)
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        return ["3", *(f"[{value}]" for value in wrong_values(item, []))]
    if get_origin(hint) is dict:
        return ["3"]
    values = ["{a:1}"] if hint is str else ["zzz"]
    if hint in (int, float):
        values += ["true", "[1]", *([] if hint is float else ["1.5"])]
    for one in bounds:
        one = getattr(one, "metadata", [one])
        for bound in one:
            values += [str(bound.ge - 1)] if hasattr(bound, "ge") else []
            values += [str(bound.gt)] if hasattr(bound, "gt") else []
            values += [str(bound.le + 1)] if hasattr(bound, "le") else []
            values += [str(bound.lt)] if hasattr(bound, "lt") else []
    return values


def settings_of_commands() -> Iterator[Case]:
    for command, cls in COMMANDS.items():
        for name, setting in walk(cls):
            if name.partition(".")[0] not in GROUPS and name not in NAMES:
                yield HEADS[command], name, name, setting


def settings_of_groups() -> Iterator[Case]:
    for proxy in PROXIES:
        for name, setting in walk(load_proxy_settings(proxy), "proxy."):
            yield ["evaluate", "16A", f"proxy={proxy}"], name, name, setting
    for llm, cls in LLMS.items():
        for name, setting in walk(cls, "llm."):
            yield ["run", f"llm={llm}"], name, name, setting
    for launcher, cls in LAUNCHERS.items():
        for name, setting in walk(cls, "launcher."):
            yield ["run", f"launcher={launcher}"], name, name, setting
    for path, cls in (("space.", SpaceConfig), ("budget.", BudgetConfig)):
        for name, setting in walk(cls, path):
            yield ["compare"], name, name, setting


def options_of_searchers() -> Iterator[Case]:
    for searcher in SEARCHERS:
        for name, setting in walk(load_searcher(searcher).settings(), "searcher.options."):
            shown = name.replace("searcher.", f"{searcher}.")
            yield ["run", f"searcher={searcher}"], name, shown, setting


ALL = [*settings_of_commands(), *settings_of_groups(), *options_of_searchers()]


def test_the_walk_comes_everywhere() -> None:
    names = {(head[0], name) for head, name, _, _ in ALL}
    assert ("audit", "steps.factors") in names and ("serve", "start_timeout_s") in names
    assert ("evaluate", "proxy.train.beta2") in names
    assert ("run", "searcher.options.memory_tokens") in names
    assert len(ALL) > 250
    assert all(setting.description for _, _, _, setting in ALL)


@pytest.mark.parametrize(
    ("head", "name", "shown", "setting"),
    ALL,
    ids=[f"{head[-1]}-{name}" for head, name, _, _ in ALL],
)
def test_a_wrong_value_is_one_line_that_names_the_setting(
    head: list[str],
    name: str,
    shown: str,
    setting: FieldInfo,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    values = wrong_values(setting.annotation, list(setting.metadata))
    assert values
    for value in values:
        assert main([*head, f"{name}={value}"]) == 2, f"{name}={value}"
        captured = capsys.readouterr()
        (line,) = captured.err.splitlines()
        assert line.startswith("nasarena: ") and shown in line, f"{name}={value}: {line}"
        assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("train.steps=abc", "settings.changes.b.train.steps must be a whole number, got 'abc'"),
        ("train.steps=0", "settings.changes.b.train.steps must be positive, got 0"),
        ("train.stebs=3", "no setting is called 'settings.changes.b.train.stebs'; nearest: "),
        ("model.num_heads=3", "settings.changes.b.model.num_heads must divide 32, got 3"),
    ],
)
def test_the_changes_of_an_audit_are_refused_before_it_begins(
    change: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audit = ["audit", "proxy=quick", "axes=[settings]", f"settings.changes.b.{change}"]
    assert main(audit) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", SEARCHERS)
def test_the_defaults_of_a_searcher_pass_its_own_checks(name: str) -> None:
    """A default is not checked where it is declared: one beyond its own bounds would go unseen."""
    spec = load_searcher(name)
    assert spec.complete(spec.options()) == spec.options()
