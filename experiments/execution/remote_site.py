"""A process on another node, made like the one that commands it.

It has the same folder, the same things to import and the same settings of ours; the rest of its
environment is that of its node. What tasks write, they write into a folder that all nodes share.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from platform import node
from typing import Any

from nasarena.search.errors import NasArenaError

_OURS = "NASARENA_"


@dataclass(frozen=True, slots=True)
class Site:
    """Where the commanding process is; `witness` is a file that it wrote where results shall be."""

    folder: str
    path: list[str]
    variables: dict[str, str]
    witness: str

    def enter(self) -> None:
        """Make this process like that one. Raises NasArenaError where they share no folder."""
        try:
            os.chdir(self.folder)
            os.stat(self.witness)
        except OSError as error:
            raise NasArenaError(
                f"node {node()} does not see {Path(self.witness).parent}: {error.strerror}; give "
                f"folder=, and start the command, in a file system that all nodes share"
            ) from error
        sys.path[:] = self.path
        os.environ.update(self.variables)


def dump(value: Any) -> bytes:
    """Anything as bytes for another process, what was defined in a notebook too."""
    import cloudpickle

    found: bytes = cloudpickle.dumps(value)
    return found


@contextmanager
def open_site(folder: Path) -> Iterator[Site]:
    """This process for others that shall write below `folder`, which must exist."""
    variables = {name: value for name, value in os.environ.items() if name.startswith(_OURS)}
    with tempfile.NamedTemporaryFile(prefix=".shared-", dir=folder.resolve()) as witness:
        yield Site(os.getcwd(), list(sys.path), variables, witness.name)
