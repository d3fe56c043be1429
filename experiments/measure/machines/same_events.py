"""The events of many runs as they must be equal when two folders hold the same runs."""

from pathlib import Path

from nasarena.search.run_folder import Event, drop_measurements, find_runs, read_run


def events_below(folder: Path) -> dict[str, list[Event]]:
    """The events of every run below `folder` without measurements, by its place there."""
    return {
        str(path.relative_to(folder)): drop_measurements(read_run(path).events)
        for path in find_runs(folder)
    }
