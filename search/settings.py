"""Settings: classes whose values are checked where they come in and refused in one line.

    @settings
    class TrainSettings:
        steps: int = Field(60, gt=0, description="training steps")

declares a frozen dataclass with all that is to be said of a setting: its type, its bounds, its
default and, for `--help`, what it means (`Field` is pydantic's, which does the checking). A setting
that the class does not have is refused with the nearest names; text is no number and a truth value
neither, but 1e3 is a whole number. What the author of a function or class wrote into its signature
is as good: `options_class` derives such a class from it, so there is one checker for all.

pydantic is imported when a class is declared or derived, never with this module.
"""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import field
from functools import cache
from types import UnionType
from typing import (
    Annotated,
    Any,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from nasarena.search.errors import refusal

Class = TypeVar("Class", bound=type)
Settings = TypeVar("Settings")

_CONFIG = {
    "extra": "forbid",
    "allow_inf_nan": False,
    "coerce_numbers_to_str": True,  # a name may well be 7
    "arbitrary_types_allowed": True,
}


@dataclass_transform(frozen_default=True)
def settings(cls: Class) -> Class:
    """Make a class of settings of `cls`; its `__post_init__` checks what concerns several of them.

    A message of `__post_init__` begins with the name of a setting: whoever holds these settings
    puts the path before it. The constructor raises InvalidSetting.
    """
    return _declare(cls)


def _declare(cls: Class, **keywords: Any) -> Class:
    from pydantic import ValidationError
    from pydantic.dataclasses import dataclass

    own = cls.__dict__.get("__annotations__", {})
    hints = get_type_hints(cls, include_extras=True)
    cls.__annotations__ = {name: _strict(hints[name]) for name in own}
    made: Any = dataclass(frozen=True, config=_CONFIG, **keywords)(cls)  # type: ignore[call-overload]
    check = made.__init__

    def __init__(self: object, *values: Any, **named: Any) -> None:
        try:
            check(self, *values, **named)
        except ValidationError as error:
            raise refusal(error, made) from None

    made.__init__ = __init__
    result: Class = made
    return result


class ByBudget(int):
    """A default that is a share of the average patterns that the budget pays for.

    As a number it is the `most`, which stands wherever no budget is known.
    """

    share: float
    least: int

    def __new__(cls, share: float, least: int, most: int) -> "ByBudget":
        made = super().__new__(cls, most)
        made.share, made.least = share, least
        return made

    def __deepcopy__(self, memo: object) -> "ByBudget":
        return self  # it never changes

    def at(self, num_trials: int | None) -> int:
        """The plain number for a budget."""
        if num_trials is None:
            return int(self)
        return min(int(self), max(self.least, round(self.share * num_trials)))

    @property
    def words(self) -> str:
        """As `--help` shows it."""
        return f"1/{round(1 / self.share)} of the budget's patterns, {self.least} to {int(self)}"


def build(
    cls: type[Settings],
    values: Mapping[str, Any],
    path: str = "",
    known: Collection[str] = (),
) -> Settings:
    """An instance of a class of settings; `path` stands before every name in a message.

    `known` are names that a misspelt one may have meant, besides those of the class.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(cls).validate_python(dict(values))
    except ValidationError as error:
        raise refusal(error, cls, path, known) from None


@cache
def options_class(target: Callable[..., Any], reserved: frozenset[str]) -> type[Any]:
    """A class of settings from the signature of a function or class; not for `reserved` ones.

    A type that is unknown at run time, or that cannot be checked, lets every value pass.
    """
    function = target.__init__ if inspect.isclass(target) else target
    space = getattr(function, "__globals__", {})
    hints: dict[str, Any] = {}
    members: dict[str, Any] = {}
    for parameter in inspect.signature(target).parameters.values():
        if parameter.name in reserved or parameter.kind in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        ):
            continue
        hints[parameter.name] = _checkable(parameter.annotation, space)
        if parameter.default is not parameter.empty:
            members[parameter.name] = _default(parameter.default)
    name = getattr(target, "__name__", "options")
    declared: type[Any] = type(name, (), {"__annotations__": hints, **members})
    return _declare(declared, kw_only=True)


def _strict(hint: Any) -> Any:
    """`hint` such that text is no number, a truth value neither, and 1e3 is a whole number."""
    from pydantic import BeforeValidator, StrictBool, StrictFloat, StrictInt

    exact = {
        int: Annotated[StrictInt, BeforeValidator(_whole)],
        float: StrictFloat,
        bool: StrictBool,
    }
    if hint in (int, float, bool):
        return exact[hint]
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return Annotated[(_strict(inner[0]), *inner[1:])]
    if origin in (Union, UnionType):
        return Union[tuple(_strict(one) for one in inner)]  # noqa: UP007
    if origin in (tuple, list, dict):
        return origin[tuple(_strict(one) for one in inner)]
    return hint


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _checkable(annotation: Any, space: dict[str, Any]) -> Any:
    from pydantic import TypeAdapter

    try:
        hint = eval(annotation, space) if isinstance(annotation, str) else annotation
        TypeAdapter(hint, config=_CONFIG)  # type: ignore[arg-type]
    except Exception:  # a name that only a type checker imports, or no type at all
        return Any
    return Any if hint is inspect.Parameter.empty else hint


def _default(value: Any) -> Any:
    return field(default_factory=lambda: value) if type(value).__hash__ is None else value
