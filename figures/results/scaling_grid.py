"""What the folder of a grid says besides its losses: settings, sizes, the sweep, where it was made.

Read from `scale.json` beside the table. A published table has none.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasarena.figures.results.scaling import TABLE
from nasarena.search.errors import InvalidSetting

HEADER = "scale.json"


@dataclass(frozen=True, slots=True)
class GridFacts:
    """`training` has rate and batch by size; `sources` one mapping for each command that trained.

    `sweep` has a line for each rate that was tried; `settings` are names with dots and values.
    """

    settings: Sequence[tuple[str, str]]
    training: Mapping[str, tuple[float, int]]
    sweep: Sequence[Mapping[str, Any]]
    sources: Sequence[Mapping[str, str]]


def read_grid(path: Path) -> GridFacts | None:
    """The facts beside a table (or in its folder), None where there are none.

    Raises InvalidSetting (one line) for a file that is no such header.
    """
    file = (path if path.is_dir() else path.parent) / HEADER
    if not file.exists() or not (path.is_dir() or path.name == TABLE):
        return None
    try:
        header = json.loads(file.read_bytes())
        training = {
            str(size["name"]): (
                float(size["train"]["learning_rate"]), int(size["train"]["batch_size"])
            )
            for size in header["sizes"]
        }  # fmt: skip
        sources = [
            {key: ", ".join(_words(source[key])) for key in sorted(source)}
            for source in header["provenance"]
        ]
        sweep = [
            {"size": str(row["size"]), "learning_rate": float(row["learning_rate"]),
             "loss": None if row["loss"] is None else float(row["loss"]),
             "chosen": bool(row["chosen"])}
            for row in header["sweep"]
        ]  # fmt: skip
        return GridFacts(list(_flat(header["settings"])), training, sweep, sources)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        words = " ".join(str(error).split())
        raise InvalidSetting(f"{file} must say how a grid was trained: {words}") from None


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Settings by names with dots; what is not set is left out."""
    for name, item in value.items():
        if isinstance(item, Mapping):
            yield from _flat(item, f"{prefix}{name}.")
        elif item not in (None, []):
            yield f"{prefix}{name}", ", ".join(_words(item))


def _words(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from (f"{key} {item}" for key, item in value.items())
    elif isinstance(value, list):
        yield from map(str, value)
    else:
        yield f"{value:.6g}" if isinstance(value, float) else str(value)
