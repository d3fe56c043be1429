"""Where caches live: `NASARENA_CACHE`, or `~/.cache/nasarena`."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder of all caches; it need not exist yet."""
    chosen = os.environ.get("NASARENA_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "nasarena"
