"""Runs in the folder of a comparison that do not belong to it: refused, or removed on demand."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from nasarena.experiments.comparison.benchmark_facts import FILE as FACTS
from nasarena.experiments.comparison.plan import PLAN, Comparison
from nasarena.experiments.comparison.run_spec import RunSpec
from nasarena.search.errors import RunFolderRefused
from nasarena.search.run_config import condition, is_reference
from nasarena.search.run_folder import refuse_another_config


def clear_or_refuse(
    comparison: Comparison, to_do: Callable[[], Sequence[RunSpec]], overwrite: bool
) -> Sequence[RunSpec]:
    """What is left to do in a folder that holds no run of another configuration.

    Such runs are removed where they are to be overwritten, else RunFolderRefused is raised. Runs
    to do that were begun must not be written by another process either.
    """
    if overwrite:
        foreign = {path: is_shared for path, _, is_shared in _mixture(comparison)}
        _remove_runs(comparison.folder, foreign, with_frozen=any(foreign.values()))
        comparison.records.forget(foreign)
    for _, reason, _ in _mixture(comparison):
        raise RunFolderRefused(reason)
    cells = to_do()
    paths = {found.path for found in comparison.records.all()}
    for cell in cells:
        if cell.path in paths:
            cell.open().close()
    return cells


def _mixture(comparison: Comparison) -> Iterator[tuple[Path, str, bool]]:
    """Runs that do not belong to the comparison: where, why, and whether what all runs share is
    another."""
    wanted = {cell.path: cell for cell in comparison.cells}
    shared = condition(comparison.cells[0].config)
    for found in comparison.records.all():
        other = condition(found.config)
        if found.path in wanted:
            config = wanted[found.path].config
            try:
                refuse_another_config(found.path, found.header, config)
            except RunFolderRefused as error:
                yield found.path, str(error), other != condition(config)
        elif not is_reference(found.config) and other != shared:
            keys = [key for key in shared if shared[key] != other[key]]
            reason = (
                f"{comparison.folder} holds runs of another configuration ({', '.join(keys)} of "
                f"{found.path.relative_to(comparison.folder)} differ); choose another name= or "
                f"give overwrite=true"
            )
            yield found.path, reason, True


def _remove_runs(folder: Path, paths: Iterable[Path], with_frozen: bool) -> None:
    """Remove run folders of a comparison, and on demand what is made once for all of them.

    Raises RunFolderRefused where that fails.
    """
    from nasarena.figures.results.anchors import FILE_NAME as ANCHORS

    try:
        for path in paths:
            shutil.rmtree(path)
        if with_frozen:
            for name in (PLAN, ANCHORS, FACTS):
                (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise RunFolderRefused(f"cannot remove {error.filename}: {error.strerror}") from error
