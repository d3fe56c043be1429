"""The error tree. Everything a user can cause is a `NasArenaError`: one line, exit code 2.

    NasArenaError
    +-- InvalidPattern      a candidate that its space refuses
    +-- InvalidSetting      a setting that is misspelt, missing or contradictory
    |   +-- UnknownSetting  one that nobody has
    +-- BudgetSpent         the next trial does not fit into what is left
    +-- SearcherFailed      a searcher raised, returned nonsense for too long, or never answered
    +-- ProxyFailed         a proxy cannot score anything at all (one bad pattern is a failed trial)
    +-- RunFolderRefused    a run folder of another configuration, or an unreadable one
    +-- ReplayDiverged      a rebuilt searcher did not ask again what the record says it asked

A message says what was expected, what came and what to do. Internal faults are plain exceptions
and keep their traceback.

What is wrong with a setting is found by pydantic (`settings.py`) and said here, in one line that
names the setting as a user writes it, with dots; an unknown name always in the same words.
"""

from collections.abc import Collection
from dataclasses import is_dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_SHOWN = 80  # characters of a wrong value in a message


class NasArenaError(Exception):
    """Base of everything a user can cause; its text is a single line meant for them."""


class InvalidPattern(NasArenaError, ValueError):
    """A candidate that is not a member of the space it was proposed for."""


class InvalidSetting(NasArenaError, ValueError):
    """A setting that is unknown, of the wrong type, out of range, or contradicts another."""


class UnknownSetting(InvalidSetting):
    """A setting that nobody has, with the nearest of the names that are known."""

    def __init__(self, name: str, known: Collection[str]) -> None:
        super().__init__(f"no setting is called {name!r}; {nearest(name, known)}")
        self.name = name


class BudgetSpent(NasArenaError):
    """Raised by `Ledger.reserve` for a trial that does not fit into what is left."""


class SearcherFailed(NasArenaError):
    """A searcher broke its contract; its own run ends as failed, the comparison goes on."""


class ProxyFailed(NasArenaError):
    """A proxy cannot score anything: no data, no device, no such file."""


class RunFolderRefused(NasArenaError):
    """A run folder that belongs to another configuration or cannot be read."""


class ReplayDiverged(NasArenaError):
    """A rebuilt searcher asked something else than the record says: it is not a pure function."""


def setting_names(cls: type[Any], path: str = "") -> list[str]:
    """Dotted names of all settings of a class, those of classes within it too."""
    names = []
    for name, hint in get_type_hints(cls).items():
        within = [
            found for one in classes_in(hint) for found in setting_names(one, join(path, name))
        ]
        names += within or [join(path, name)]
    return list(dict.fromkeys(names))


def is_settings(hint: object) -> bool:
    """Whether this is a class of settings."""
    return isinstance(hint, type) and is_dataclass(hint) and hasattr(hint, "__pydantic_fields__")


def nearest(name: str, known: Collection[str]) -> str:
    """The names that `name` may have meant, or all of them, for a message."""
    last = name.rpartition(".")[2]
    close = get_close_matches(name, known, n=3, cutoff=0.6)
    close += [
        key for key in known if get_close_matches(last, [key.rpartition(".")[2]], cutoff=0.75)
    ]
    close = list(dict.fromkeys(close))[:4]
    if close:
        return f"nearest: {', '.join(close)}"
    return f"expected one of {', '.join(known)}" if known else "there is none"


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def refusal(
    error: "ValidationError", cls: type[Any], path: str = "", known: Collection[str] = ()
) -> InvalidSetting:
    """The first error in one line; of a union what each of its members would have taken."""
    errors = error.errors(include_url=False)
    places = [_place(one, cls) for one in errors]
    first, place = errors[0], join(path, places[0]) if places[0] else path
    if first["type"] == "unexpected_keyword_argument":
        names = [*(join(path, name) for name in setting_names(cls)), *known]
        return UnknownSetting(place, names)
    if first["type"] == "missing":
        return InvalidSetting(f"{place} must be given")
    if first["type"] == "value_error":
        words = str(first["ctx"]["error"])
        if words.startswith("must "):  # said of this setting, else of one within it
            return InvalidSetting(f"{place} {words}")
        return InvalidSetting(join(place, words))
    same = [one for one, found in zip(errors, places, strict=True) if found == places[0]]
    expected = " or ".join(dict.fromkeys(_expected(one) for one in same))
    return InvalidSetting(f"{place} must be {expected}, got {_shown(first['input'])}")


def _place(error: "ErrorDetails", cls: type[Any]) -> str:
    """The dotted name of the setting; without places in lists and the names of types in unions."""
    names: list[str] = []
    within, is_open = [cls], False  # open: a mapping, whose keys are names too
    for depth, part in enumerate(error["loc"], start=1):
        if isinstance(part, int):
            if depth > 1:
                continue
            part = list(get_type_hints(cls))[part]  # a value given by its position
        hints = [hint for one in within for hint in [get_type_hints(one).get(part)] if hint]
        is_new = error["type"] == "unexpected_keyword_argument" and depth == len(error["loc"])
        if hints or is_new or is_open:
            names.append(part)
            within = [one for hint in hints for one in classes_in(hint)]
            is_open = is_open or any("dict[" in str(hint) for hint in hints)
    return ".".join(names)


def classes_in(hint: Any) -> list[type[Any]]:
    """The classes of settings that a value of this type may be."""
    return [one for one in (hint, *get_args(hint)) if is_settings(one)]


_WORDS = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "finite",
    "bool_type": "true or false",
    "string_type": "a word",
    "tuple_type": "a list such as [a,b]",
    "list_type": "a list such as [a,b]",
    "dict_type": "settings of its own, such as {key:value}",
    "dataclass_type": "settings of its own, such as {key:value}",
    "too_short": "a list of at least %(min_length)d",
    "greater_than": "above %(gt)g",
    "greater_than_equal": "at least %(ge)g",
    "less_than": "below %(lt)g",
    "less_than_equal": "at most %(le)g",
}


def _expected(error: "ErrorDetails") -> str:
    context = error.get("ctx", {})
    if error["type"] == "literal_error":
        choices = context["expected"].replace(" or ", ", ").replace("'", "")
        return f"one of {choices}" if ", " in choices else str(choices)
    if error["type"] == "greater_than" and context["gt"] == 0:
        return "positive"
    words = _WORDS.get(error["type"])
    return words % context if words else error["msg"].removeprefix("Input should be ")


def _shown(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
