"""Hydra at the edge: command-line overrides and `conf/` into plain values, and nothing else.

The Compose API and not `hydra.main`: no outputs/ folder, no other working folder, no hijacked
logging. Every override is checked before hydra sees it, so that a misspelt key or choice is
refused in one line with the nearest names.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasarena.experiments.settings.typed import coerce
from nasarena.search.errors import InvalidSetting

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

CONF = Path(__file__).parent.parent / "conf"
OPEN = {"options", "changes"}  # below these keys users may write what the YAML does not list


def compose_settings(command: str, arguments: Sequence[str]) -> dict[str, Any]:
    """The settings of `conf/<command>.yaml` with `arguments` such as `seeds=8` applied.

    Raises InvalidSetting for what cannot be read, an unknown key or an unknown choice.
    """
    overrides = _parse_overrides(arguments)
    groups = groups_of(command)
    choices = [one for one in overrides if one.key_or_group in groups]
    values = [one for one in overrides if one.key_or_group not in groups]
    for choice in choices:
        _check_choice(choice.key_or_group, choice.value())
    known = _compose(command, [_text(one) for one in choices])
    written = [_check_override(one, known, groups) for one in values]
    return _compose(command, [*(_text(one) for one in choices), *written])


def groups_of(command: str) -> dict[str, str]:
    """Groups that a command chooses from, each with its default choice."""
    from yaml import safe_load

    defaults = safe_load((CONF / f"{command}.yaml").read_text())["defaults"]
    return {
        group: choice
        for entry in defaults
        if entry != "_self_"
        for group, choice in entry.items()
        if not group.startswith("optional ")  # follows another choice, is not one
    }


def choices_of(group: str) -> list[str]:
    """Names of the YAML files of a group."""
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))


def nearest(name: str, known: Sequence[str]) -> str:
    """The names that `name` may have meant, or all of them, for a message."""
    last = name.rpartition(".")[2]
    close = get_close_matches(name, known, n=3, cutoff=0.6)
    close += [
        key for key in known if get_close_matches(last, [key.rpartition(".")[2]], cutoff=0.75)
    ]
    close = list(dict.fromkeys(close))[:4]
    return f"nearest: {', '.join(close)}" if close else f"expected one of {', '.join(known)}"


def _parse_overrides(arguments: Sequence[str]) -> list["Override"]:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import OverrideType
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    overrides = []
    for argument in arguments:
        try:
            (override,) = parser.parse_overrides([argument])
        except HydraException as error:
            reason = str(error).splitlines()[-1 if "Error parsing" in str(error) else 0]
            raise InvalidSetting(
                f"cannot read {argument!r} as key=value ({_reason(str(error)) or reason}); "
                f"quote what holds blanks or brackets"
            ) from error
        if override.is_sweep_override():
            key = override.key_or_group
            raise InvalidSetting(f"one value is expected, got {argument!r}; a list is {key}=[a,b]")
        if override.type is not OverrideType.CHANGE:
            raise InvalidSetting(f"settings are changed as key=value, got {argument!r}")
        overrides.append(override)
    return overrides


def _reason(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.startswith(("Error pars", "See http"))]
    return lines[0] if lines else ""


def _check_choice(group: str, choice: Any) -> None:
    choices = choices_of(group)
    if choice not in choices:
        raise InvalidSetting(f"no {group} is called {choice!r}; {nearest(str(choice), choices)}")


def _check_override(
    override: "Override", known: Mapping[str, Any], groups: Mapping[str, str]
) -> str:
    """The override as hydra shall have it; keys below an open one are added if need be."""
    key = override.key_or_group
    path = key.split(".")
    if OPEN.intersection(path[:-1]):
        return f"++{override.input_line}"
    if not _has(known, path):
        owners = _owners(path, groups)
        if owners:
            raise InvalidSetting(f"{key!r} is a setting of {' and '.join(owners)}: choose one too")
        names = sorted({*_flat(known), *groups})
        raise InvalidSetting(f"no setting is called {key!r}; {nearest(key, names)}")
    default, value = _at(known, path), override.value()
    # Only a proxy's settings are not checked against a dataclass further down.
    if default is not None and path[0] == "proxy":
        coerce(value, type(default), key)
    return _text(override)


def _owners(path: Sequence[str], groups: Mapping[str, str]) -> list[str]:
    """The choices of a group that do have this setting."""
    from yaml import safe_load

    group, *rest = path
    if group not in groups or not rest:
        return []
    files = {choice: CONF / group / f"{choice}.yaml" for choice in choices_of(group)}
    return [
        f"{group}={choice}"
        for choice, file in files.items()
        if _has(safe_load(file.read_text()), rest)
    ]


def _text(override: "Override") -> str:
    return str(override.input_line)


def _has(values: Any, path: Sequence[str]) -> bool:
    for part in path:
        if not isinstance(values, Mapping) or part not in values:
            return False
        values = values[part]
    return True


def _at(values: Any, path: Sequence[str]) -> Any:
    for part in path:
        values = values[part]
    return values


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _compose(command: str, overrides: Sequence[str]) -> dict[str, Any]:
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            plain = OmegaConf.to_container(compose(command, list(overrides)), resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        reason = " ".join(str(error).split())
        raise InvalidSetting(f"these settings do not fit together: {reason}") from error
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}
