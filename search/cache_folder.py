"""Where caches are stored: `NASARENA_CACHE`, else `~/.cache/nasarena`, else a folder in /tmp."""

import os
import tempfile
from pathlib import Path

from nasarena.search.errors import InvalidSetting


def cache_folder() -> Path:
    """The folder of all caches; it need not exist yet."""
    chosen = os.environ.get("NASARENA_CACHE")
    if chosen:
        return Path(chosen)
    try:
        return Path.home() / ".cache" / "nasarena"
    except RuntimeError:  # a user without a name, as containers have them
        return _own_folder(Path(tempfile.gettempdir()) / f"nasarena-{os.getuid()}")


def _own_folder(folder: Path) -> Path:
    """`folder`, where nobody else can have put anything: libraries are loaded from caches."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise InvalidSetting(f"{folder} must be yours alone: remove it, or set NASARENA_CACHE")
    return folder
