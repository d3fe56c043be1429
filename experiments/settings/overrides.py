"""Hydra at the edge: what a user writes, and the presets of `conf/`, as plain values.

A command line is read by hydra's grammar into choices (`proxy=quick`) and values (`seeds=8`); the
files of the choices are put together by its Compose API, and not by `hydra.main`: no outputs/
folder, no other working folder, no hijacked logging. What the values are worth is not decided here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasarena.experiments.settings.choices import merge
from nasarena.search.errors import InvalidSetting, nearest

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

CONF = Path(__file__).parent.parent / "conf"
# Groups whose settings hold the name of the choice.
NAMED = ("searcher", "then", "llm", "proxy", "launcher")
_PLAIN = {"proxy": "additive"}  # a choice with no preset but its name


@dataclass(slots=True)
class Asked:
    """What a user asked for: a choice for some of the groups, and values under dotted keys."""

    choices: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def put(self, key: str, value: Any) -> None:
        """Add a value; a mapping joins what is there. The name of a choice goes to the choices."""
        group, _, rest = key.partition(".")
        if group in (*NAMED, "space", "budget", "scale", "preset") and not rest:
            if isinstance(value, Mapping) and "name" in value:
                self.put(group, value["name"])
                value = {inner: one for inner, one in value.items() if inner != "name"}
            if not isinstance(value, Mapping):
                self.choices[group] = str(value)
                return
        nested = value
        for part in reversed(key.split(".")):
            nested = {part: nested}
        self.values = merge(self.values, nested)

    def has(self, *path: str) -> bool:
        """Whether a value was given."""
        values: Any = self.values
        for part in path:
            if not isinstance(values, Mapping) or part not in values:
                return False
            values = values[part]
        return True


def parse_overrides(arguments: Sequence[str]) -> Asked:
    """Arguments such as `seeds=8`. Raises InvalidSetting for what cannot be read."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    asked = Asked()
    for argument in arguments:
        try:
            (override,) = parser.parse_overrides([argument])
        except HydraException as error:
            raise InvalidSetting(
                f"cannot read {argument!r} as key=value ({_reason(str(error))}); "
                f"quote what holds blanks or brackets"
            ) from error
        _refuse_other_kinds(override, argument)
        asked.put(override.key_or_group, override.value())
    return asked


def compose(command: str, asked: Asked) -> dict[str, Any]:
    """The presets of a command under these choices, and over them the values.

    Raises InvalidSetting for an unknown choice of a group that has presets.
    """
    presets: dict[str, str] = {}
    named: dict[str, Any] = {}
    for group, choice in asked.choices.items():
        if group not in groups_of(command):
            named[group] = {"name": choice} if group in NAMED else choice
        elif choice in choices_of(group):
            presets[group] = choice
        elif group in NAMED:  # somebody else's: no preset, and no size of its own
            presets[group], named[group] = _PLAIN[group], {"name": choice}
        else:
            raise InvalidSetting(
                f"no {group} is called {choice!r}; {nearest(choice, choices_of(group))}"
            )
    composed = _presets(command, tuple(f"{group}={name}" for group, name in presets.items()))
    return merge(merge(composed, named), asked.values)


def groups_of(command: str) -> dict[str, str]:
    """Groups with presets that a command chooses from, each with its default choice.

    One that is optional follows another choice unless it is chosen: `scale`.
    """
    from yaml import safe_load

    file = CONF / f"{command}.yaml"
    defaults = safe_load(file.read_text()).get("defaults", []) if file.exists() else []
    return {
        group.removeprefix("optional "): choice
        for entry in defaults
        if entry != "_self_"
        for group, choice in entry.items()
    }


def choices_of(group: str) -> list[str]:
    """Names of the YAML files of a group."""
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))


@cache
def _presets(command: str, choices: tuple[str, ...]) -> Mapping[str, Any]:
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    if not (CONF / f"{command}.yaml").exists():
        return {}
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose(command, list(choices))
        plain = OmegaConf.to_container(composed, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _reason(text: str) -> str:
    lines = text.splitlines()
    said = [line for line in lines if not line.startswith(("Error pars", "See http"))]
    return (said or lines)[0]


def _refuse_other_kinds(override: "Override", argument: str) -> None:
    from hydra.core.override_parser.types import OverrideType

    if override.is_sweep_override():
        raise InvalidSetting(
            f"one value is expected, got {argument!r}; a list is {override.key_or_group}=[a,b]"
        )
    if override.type is not OverrideType.CHANGE:
        raise InvalidSetting(f"settings are changed as key=value, got {argument!r}")
