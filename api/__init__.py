"""nasarena for Python: what a notebook or a script needs, in one import.

    import nasarena

    result = nasarena.compare(["random", "tpe", my_searcher], proxy="additive", seeds=5)
    result.table, result.verdict, result.plot("anytime")

`compare`, `run`, `evaluate`, `check` do what the commands of these names do; `load` reads what was
done before. docs/python.md has them all.

Importing this takes no time: a name is loaded when it is first asked for. The folder stands on top
of all others: it may import experiments, figures and search, and nobody imports it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nasarena.calls import check, compare, evaluate, load, run
    from nasarena.outcome import Check, Comparison, Run
    from nasarena.search.errors import NasArenaError
    from nasarena.search.searcher import searcher
    from nasarena.suite_outcome import Suite

    __version__: str

__all__ = [
    "Check",
    "Comparison",
    "NasArenaError",
    "Run",
    "Suite",
    "__version__",
    "check",
    "compare",
    "evaluate",
    "load",
    "run",
    "searcher",
]

_PLACES = {
    **dict.fromkeys(("check", "compare", "evaluate", "load", "run"), "nasarena.calls"),
    **dict.fromkeys(("Check", "Comparison", "Run"), "nasarena.outcome"),
    "Suite": "nasarena.suite_outcome",
    "NasArenaError": "nasarena.search.errors",
    "searcher": "nasarena.search.searcher",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("nasarena")
    if name not in _PLACES:
        raise AttributeError(f"module 'nasarena' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
