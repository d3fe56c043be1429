"""nasarena for Python: what a notebook or a script needs, in one import.

Importing it takes no time: whatever is asked for is loaded when it is first asked for. This folder
stands on top of all others: it may import experiments, figures and search, and nobody imports it.
"""

from typing import TYPE_CHECKING, Any

__all__ = ["__version__"]

if TYPE_CHECKING:
    __version__: str


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("nasarena")
    raise AttributeError(f"module 'nasarena' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
