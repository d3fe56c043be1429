"""Hash of a searcher that is a Python object: a function or class of a notebook or a script.

Such a searcher has no file of its own to be hashed, so what it does is: its compiled code and all
that this reaches among the names of its own module - helper functions, constants, what it closed
over. Comments and where a line stands do not count. Of other modules the name alone counts, as
with the imports of a searcher's file.
"""

import hashlib
import inspect
import pickle
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import CodeType, FunctionType, ModuleType
from typing import Any

_PLAIN = (str, bytes, int, float, complex, bool, type(None), type(...))


def source_hash(target: Callable[..., Any]) -> str:
    """16 hex digits; the same for the same definition, in another session too."""
    digest = hashlib.sha256()
    for part in _parts(target, target.__module__, {}):
        digest.update(part.encode(errors="backslashreplace") + b"\0")
    return digest.hexdigest()[:16]


def _parts(value: Any, home: str, seen: dict[int, Any]) -> Iterator[str]:
    """What tells `value` from others, as text; each object once."""
    if isinstance(value, _PLAIN):
        yield repr(value)
        return
    if id(value) in seen:
        return
    seen[id(value)] = value  # held, so that no other object gets its id
    if isinstance(value, ModuleType):
        yield value.__name__
    elif isinstance(value, FunctionType):
        yield f"{value.__module__}.{value.__qualname__}"
        if value.__module__ == home:
            yield from _of_function(value, home, seen)
    elif isinstance(value, type):
        yield f"{value.__module__}.{value.__qualname__}"
        if value.__module__ == home:
            yield from _of_class(value, home, seen)
    elif isinstance(value, CodeType):
        yield from _of_code(value, home, seen)
    else:
        yield from _of_object(value, home, seen)


def _of_function(value: FunctionType, home: str, seen: dict[int, Any]) -> Iterator[str]:
    yield from _parts(value.__code__, home, seen)
    closed_over = inspect.getclosurevars(value).nonlocals
    reached = {name: value.__globals__[name] for name in _names(value.__code__, value.__globals__)}
    for part in (value.__defaults__, value.__kwdefaults__, closed_over, reached):
        yield from _parts(part, home, seen)


def _names(code: CodeType, known: Mapping[str, Any]) -> list[str]:
    """Global names that this code may read, that of functions within it too."""
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    names = {name for name in code.co_names if name in known}
    return sorted(names.union(*(_names(each, known) for each in inner)))


def _of_code(value: CodeType, home: str, seen: dict[int, Any]) -> Iterator[str]:
    yield value.co_code.hex()
    for part in (value.co_consts, value.co_names, value.co_varnames, value.co_freevars):
        yield from _parts(part, home, seen)


def _of_class(value: type, home: str, seen: dict[int, Any]) -> Iterator[str]:
    for base in value.__bases__:
        yield from _parts(base, home, seen)
    for name, member in vars(value).items():
        if name not in _OF_EVERY_CLASS:
            yield name
            yield from _parts(member, home, seen)


_OF_EVERY_CLASS = {
    "__module__", "__dict__", "__weakref__", "__doc__", "__searcher_spec__", "__firstlineno__",
    "__static_attributes__", "__annotations__", "__annotate_func__", "__annotations_cache__",
}  # fmt: skip


def _of_object(value: Any, home: str, seen: dict[int, Any]) -> Iterator[str]:
    """Containers by what they hold, wrappers by what they wrap, all else as it would be sent."""
    yield type(value).__name__
    if isinstance(value, Mapping):
        for key in value:
            yield from _parts(key, home, seen)
            yield from _parts(value[key], home, seen)
    elif isinstance(value, set | frozenset):
        yield from sorted(part for item in value for part in _parts(item, home, seen))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _parts(item, home, seen)
    elif isinstance(value, staticmethod | classmethod):
        yield from _parts(value.__func__, home, seen)
    elif isinstance(value, property):
        for function in (value.fget, value.fset):
            yield from _parts(function, home, seen)
    elif isinstance(value, partial):
        for part in (value.func, value.args, value.keywords):
            yield from _parts(part, home, seen)
    else:
        yield _sent(value)


def _sent(value: Any) -> str:
    """The bytes that a pickle of it would have; its kind alone where it has none, as a lock."""
    try:
        return hashlib.sha256(pickle.dumps(value, protocol=5)).hexdigest()
    except Exception:  # whatever a strange object raises
        return ""
