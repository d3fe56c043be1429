"""The records of a comparison's runs, each parsed once, whoever asks.

Refusing, planning, the display, what a benchmark knows, tables and report all ask the same object.
What workers write meanwhile is forgotten here and read again when it is next asked for.
"""

from collections.abc import Iterable
from pathlib import Path

from nasarena.search.run_folder import RunRecord, State, find_record, find_runs


class Records:
    """The runs below `folder`, read when somebody first asks for them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, RunRecord] = {}

    def of(self, path: Path) -> RunRecord | None:
        """The run that lies at `path`; None where there is none. Raises RunFolderRefused."""
        if path not in self._known:
            record = find_record(path)
            if record is None:
                return None
            self._known[path] = record
        return self._known[path]

    def state(self, path: Path) -> State:
        """Where the run at `path` stands."""
        record = self.of(path)
        return record.state if record else "missing"

    def all(self) -> list[RunRecord]:
        """Every run below the folder, in order of the path; others than were planned, too."""
        found = [self.of(path) for path in find_runs(self._folder)]
        return [record for record in found if record is not None]

    def forget(self, paths: Iterable[Path]) -> None:
        """Have these runs read again: they were written to."""
        for path in paths:
            self._known.pop(path, None)
