"""Hash of sources, part of every version: no cached outcome outlives the code it came from."""

import hashlib
import sys
from pathlib import Path


def code_hash(*modules: str) -> str:
    """Hash of the sources of imported modules, given by their `__name__`."""
    digest = hashlib.blake2b(digest_size=8)
    for name in modules:
        digest.update(Path(str(sys.modules[name].__file__)).read_bytes())
    return digest.hexdigest()
