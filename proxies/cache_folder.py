"""Where caches live: `NASARENA_CACHE`, or `~/.cache/nasarena`; who has no home has them in /tmp."""

import os
import tempfile
from pathlib import Path


def cache_folder() -> Path:
    """The folder of all caches; it need not exist yet."""
    chosen = os.environ.get("NASARENA_CACHE")
    if chosen:
        return Path(chosen)
    try:
        return Path.home() / ".cache" / "nasarena"
    except RuntimeError:  # a user without a name, as containers have them
        return Path(tempfile.gettempdir()) / f"nasarena-{os.getuid()}"
