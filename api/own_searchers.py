"""Searchers as Python gives them: names, files, settings, and functions or classes as such.

Settings are words and numbers, so an object goes by its name in them and stands beside them.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nasarena.experiments.settings.registry import load_searcher, searcher_names
from nasarena.search.errors import InvalidSetting
from nasarena.search.searcher import SearcherSpec, spec_of

# A name of ours, my_file.py:my_searcher, a function, a generator function or a class.
SearcherLike = str | Callable[..., Any]
# One of these, or {"name": one of these, "options": {...}, "label": "..."}.
Entry = SearcherLike | Mapping[str, Any]


def name_objects(entries: Iterable[Entry]) -> tuple[list[Any], dict[str, SearcherSpec]]:
    """The entries with a name in the place of every object, and the objects by these names.

    Raises InvalidSetting for an object that is no searcher or whose name is taken.
    """
    objects: dict[str, SearcherSpec] = {}
    return [name_entry(entry, objects) for entry in entries], objects


def name_object(target: SearcherLike, objects: dict[str, SearcherSpec]) -> str:
    """The name under which `target` is found, in `objects` where it is an object."""
    if isinstance(target, str):
        return target
    spec = spec_of(target)
    name = spec.name
    if name in searcher_names():
        if load_searcher(name).target is target:
            return name
        raise InvalidSetting(f"{name!r} is a searcher of nasarena: {_call_it(name)}")
    if not name.replace("-", "_").isidentifier():
        raise InvalidSetting(f"a searcher needs a name that can name a folder: {_call_it(name)}")
    if objects.setdefault(name, spec).target is not target:
        raise InvalidSetting(f"two searchers are called {name!r}: {_call_it(name)}")
    return name


def name_entry(entry: Entry, objects: dict[str, SearcherSpec]) -> Any:
    """The entry with names in the place of objects, also of one that goes on after it (`then`)."""
    if not isinstance(entry, Mapping):
        return name_object(entry, objects)
    names = {"name": name_object(entry["name"], objects)} if "name" in entry else {}
    after = {"then": name_entry(entry["then"], objects)} if "then" in entry else {}
    return {**entry, **names, **after}


def _call_it(name: str) -> str:
    return f"give yours another one, as @nasarena.searcher('my-{name.strip('<>')}')"
