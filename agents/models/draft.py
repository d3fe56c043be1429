"""A folder to make a model in: gone when it is left, and after a kill when the next one is made."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nasarena.agents.models.errors import ModelUnavailable
from nasarena.search.errors import RunFolderRefused
from nasarena.search.machine import lock_file

_PREFIX, _LOCK = ".draft-", "lock"


@contextmanager
def draft_folder(parent: Path, num_bytes: int) -> Iterator[Path]:
    """A new folder in `parent` while the context lasts.

    Raises ModelUnavailable where the disk has less than `num_bytes` left or cannot be written.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _drop_orphans(parent)
        _require_room(parent, num_bytes)
        with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent) as name:
            with open(Path(name) / _LOCK, "wb") as lock:
                lock_file(lock, parent)
                yield Path(name)
    except OSError as error:
        raise ModelUnavailable(f"{parent} cannot be written: {error.strerror or error}") from error


def _require_room(parent: Path, num_bytes: int) -> None:
    free = shutil.disk_usage(parent).free
    if free < num_bytes:
        raise ModelUnavailable(
            f"{parent} has {free / 1e9:.1f} GB left, {num_bytes / 1e9:.1f} GB are needed; "
            f"make room, or set NASARENA_CACHE to a folder elsewhere"
        )


def _drop_orphans(parent: Path) -> None:
    """Remove drafts of processes that were killed: nobody holds their lock."""
    for draft in parent.glob(f"{_PREFIX}*"):
        try:
            with open(draft / _LOCK, "ab") as lock:
                lock_file(lock, draft)
                shutil.rmtree(draft, ignore_errors=True)
        except (RunFolderRefused, OSError):  # somebody is at work there, or it is another user's
            pass
