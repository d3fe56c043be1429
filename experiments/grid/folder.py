"""The folder of a grid, `runs/NAME/`.

    scale.json    settings, sizes with rates and batches, patterns, the sweep; where it was made
    scores.csv    what landscapes say of its patterns
    scale.csv     a line for each cell and budget, as figures/results/scaling.py reads it; written
                  again after each cell
    cells/SIZE/PATTERN/seed-K/    a training (proxies/scaled/cell_folder.py)
    sweep/xFACTOR/SIZE/...        trainings that the learning rate was chosen by

A grid may grow: the same command with more patterns, sizes, seeds or budgets trains what is
missing. Any other setting must be what it was.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from nasarena.experiments.grid.cells import Grid, GridCell
from nasarena.experiments.settings.scale_settings import ScaleConfig
from nasarena.proxies.scaled.cell_folder import Result, read_results
from nasarena.search.errors import NasArenaError, RunFolderRefused
from nasarena.search.hashes import config_hash
from nasarena.search.machine import lock_file
from nasarena.search.run_config import difference
from nasarena.search.untrusted.drafts import replace_text

COLUMNS = (
    "pattern", "label", "size", "params_counted", "params_all", "tokens", "flops", "seed", "loss",
    "status", "bits_per_byte", "note",
)  # fmt: skip
# Settings that change what is trained, but not any training; and those that change neither.
_GROW = (
    "patterns", "aggregates", "random", "deciles", "landscape", "draw", "sizes", "budgets", "seeds",
    "first_seed", "scores",
)  # fmt: skip
_FREE = ("plan", "report", "name", "folder", "workers", "checkpoint_every", "tensorboard")


def plain_settings(config: ScaleConfig) -> dict[str, Any]:
    """The settings that losses depend on, as plain values."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return {name: value for name, value in plain.items() if name not in _FREE}


def grid_folder(config: ScaleConfig) -> Path:
    """Where a grid lies; without a name each choice of settings has a folder of its own."""
    name = config.name or f"scale-{config_hash(plain_settings(config))[:8]}"
    return Path(config.folder) / name


class GridFolder:
    """The one writer of a grid; opened by `open_grid`."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path, self._header = path, dict(header)

    def write_header(self, grid: Grid, scores: str, sweep: Sequence[Mapping[str, Any]]) -> None:
        """What is trained, as far as it is known, and what landscapes say of it."""
        sizes = [
            {"name": size.name, "parameters": size.parameters, "published": size.is_published,
             "train": asdict(size.train), "shape": asdict(size.shape)}
            for size in grid.sizes
        ]  # fmt: skip
        header = {**self._header, "patterns": grid.patterns, "sizes": sizes, "sweep": list(sweep)}
        _write(self.path / "scores.csv", scores)
        _write(self.path / "scale.json", json.dumps(header, indent=1) + "\n")

    def write_table(self, grid: Grid, failures: Mapping[Path, str]) -> None:
        """All cells as they stand; `failures` say by the place of a cell what went wrong."""
        lines = io.StringIO()
        writer = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for cell in grid.cells:
            writer.writerows(_rows(cell, self.results(cell), failures.get(cell.place, "")))
        _write(self.path / "scale.csv", lines.getvalue())

    def results(self, cell: GridCell) -> dict[int, Result]:
        """What came of its budgets so far, by steps."""
        folder = self.path / cell.place
        return {result.steps: result for result in read_results(folder)}

    def is_finished(self, cell: GridCell) -> bool:
        """Whether every budget has its result."""
        found = self.results(cell)
        return all(budget.steps in found for budget in cell.budgets)


@contextmanager
def open_grid(config: ScaleConfig, source: Mapping[str, Any]) -> Iterator[GridFolder]:
    """Make the folder, or open the one of the same settings; `source` is added to its provenance.

    Raises RunFolderRefused for a folder of other settings, one that is no grid's, and one that
    another process writes to.
    """
    path = grid_folder(config)
    with _lock(path):
        settings = plain_settings(config)
        sources = refuse_others(path, settings)
        yield GridFolder(path, {"settings": settings, "provenance": [*sources, source]})


def _lock(path: Path) -> IO[bytes]:
    """A file that nobody else has open while it is."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = open(path / "scale.lock", "ab")
    except OSError as error:
        raise NasArenaError(f"cannot write to {path}: {error.strerror}") from error
    lock_file(lock, path)
    return lock


def refuse_others(path: Path, settings: Mapping[str, Any]) -> list[Any]:
    """Where the grid in `path` was made so far. Raises RunFolderRefused for other settings."""
    file = path / "scale.json"
    if not file.exists():
        if (path / "run.json").exists() or (path / "plan.json").exists():
            raise RunFolderRefused(f"{path} holds a comparison; name another folder (name=)")
        return []
    try:
        header = json.loads(file.read_bytes())
        found, sources = dict(header["settings"]), list(header["provenance"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunFolderRefused(
            f"{file} cannot be read: {error}; restore it, or name another folder (name=)"
        ) from error
    fixed = [
        {name: value for name, value in one.items() if name not in _GROW}
        for one in (found, settings)
    ]
    if fixed[0] != fixed[1]:
        raise RunFolderRefused(
            f"{path} was made with other settings, {difference(*fixed)}; name another one (name=)"
        )
    return sources


def _rows(cell: GridCell, found: Mapping[int, Result], reason: str) -> Iterator[dict[str, Any]]:
    """A line for each budget."""
    for budget, tokens in zip(cell.budgets, cell.tokens, strict=True):
        result = found.get(budget.steps)
        missing = "failed" if reason else "missing"
        yield {
            "pattern": cell.pattern,
            "label": cell.label,
            "size": cell.size.name,
            "params_counted": cell.params_counted,
            "params_all": cell.params_all,
            "tokens": tokens,
            "flops": cell.flops(tokens),
            "seed": cell.seed,
            "loss": "" if result is None else repr(result.loss),
            "status": missing if result is None else "ok",
            "bits_per_byte": _number(result.bits_per_byte if result else None),
            "note": reason if result is None else "",
        }


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)


def _write(file: Path, text: str) -> None:
    try:
        replace_text(file, text)
    except OSError as error:
        raise NasArenaError(
            f"cannot write {file}: {error.strerror}; every finished training is kept, run the same "
            f"command again when there is room"
        ) from error
