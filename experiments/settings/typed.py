"""Plain values into frozen dataclasses, every value checked against its annotation.

The border between YAML or the command line and the code: what comes in is anything, what goes out
is typed, and a wrong value is refused in one line that names the setting.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from nasarena.search.errors import InvalidSetting

Settings = TypeVar("Settings")


def build_dataclass(cls: type[Settings], values: Mapping[str, Any], where: str = "") -> Settings:
    """An instance of the dataclass `cls`; `where` is the path of `values`, for messages.

    Raises InvalidSetting for a value of the wrong type; what the class itself refuses passes on.
    """
    hints = get_type_hints(cls)
    names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
    return cls(**{name: coerce(values[name], hints[name], _join(where, name)) for name in names})


def coerce(value: Any, hint: Any, name: str) -> Any:
    """`value` as `hint` wants it; a hint that says nothing checkable lets everything pass."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _one_of(value, arguments, name)
    if origin is Literal:
        if value not in arguments:
            raise _wrong(name, f"one of {', '.join(map(str, arguments))}", value)
        return value
    if is_dataclass(hint) and isinstance(hint, type):
        return (
            value if isinstance(value, hint) else build_dataclass(hint, _mapping(value, name), name)
        )
    if hint in (int, float, bool, str):
        return _scalar(value, hint, name)
    if origin is list or origin is Sequence or origin is tuple:
        if not isinstance(value, list | tuple):
            raise _wrong(name, "a list such as [a,b]", value)
        return type(value)(coerce(item, arguments[0], name) for item in value)
    if origin is dict or origin is Mapping:
        return dict(_mapping(value, name))
    return value


def hints_of(target: Callable[..., Any]) -> dict[str, Any]:
    """Annotations of the parameters of a function or class, as far as they can be resolved."""
    function = target.__init__ if inspect.isclass(target) else target
    hints = {}
    for name, annotation in getattr(function, "__annotations__", {}).items():
        if isinstance(annotation, str):
            try:
                annotation = eval(annotation, getattr(function, "__globals__", {}))
            except Exception:  # a name that only a type checker imports
                continue
        hints[name] = annotation
    return hints


def _one_of(value: Any, hints: Sequence[Any], name: str) -> Any:
    if value is None and NoneType in hints:
        return None
    problem: InvalidSetting | None = None
    for hint in hints:
        if hint is not NoneType:
            try:
                return coerce(value, hint, name)
            except InvalidSetting as error:
                problem = problem or error
    raise problem or _wrong(name, "null", value)


def _scalar(value: Any, kind: type, name: str) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is float and is_number:
        return float(value)
    if kind is int and is_number and float(value).is_integer():
        return int(value)  # 1e3 is a fine way to write 1000
    if kind in (bool, str) and isinstance(value, kind):
        return value
    if kind is str and is_number:
        return str(value)  # a name may well be 7
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}
    raise _wrong(name, words[kind], value)


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(name, "settings of its own, such as {key:value}", value)
    return value


def _wrong(name: str, expected: str, value: Any) -> InvalidSetting:
    return InvalidSetting(f"{name} must be {expected}, got {value!r}")


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
