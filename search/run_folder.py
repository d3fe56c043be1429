"""One run, one folder: `run.json` written first, `events.jsonl` appended line by line.

The file of events is the truth. A line is flushed before the next step depends on it, a torn last
line is dropped when the folder is opened again, and a folder that was written under another
configuration is refused. Whatever a clock said stands under the key `measured` of an event: two
runs are the same run when their events agree in everything else. `first` is a trial's index;
`fidelities` stand only where a partial training was asked for.

| event | when | keys |
|---|---|---|
| `asked` | a searcher answered, before anything is trained | `first`, `patterns`, `fidelities` |
| `llm_call` | a language model replied (agents) | `key`, tokens |
| `settled` | a trial is finished and charged | `trial`, `spent` |
| `searched` | the search came to its end | `reason`, `spent`, `llm` |
| `final` | one of the best was trained again on held-out data | `pattern`, `replicate`, `outcome` |
| `finished` | the run came to its end | those of `searched` |
| `failed` | the searcher broke down; the same command may try again | `reason`, `traceback` |
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

from nasarena.search.errors import NasArenaError, RunFolderRefused
from nasarena.search.hashes import config_hash
from nasarena.search.machine import lock_file
from nasarena.search.run_config import difference
from nasarena.search.trial import Trial
from nasarena.search.untrusted.bounded_read import read_bounded
from nasarena.search.untrusted.record_check import find_contradiction

State = Literal["missing", "partial", "failed", "finished"]
Event = dict[str, Any]

# For a lock to come free: a second command opens the runs that it is to do, for milliseconds.
_WAIT_S = 1.0
_REMEDY = "restore the file, or remove the folder of the run to do it again"


class RunFolder:
    """The one writer of a run. Open it as a context manager; `events` holds what was there."""

    def __init__(
        self, path: Path, config: Mapping[str, Any], provenance: Mapping[str, Any]
    ) -> None:
        """Create the folder, or open the one that this configuration wrote before.

        Raises RunFolderRefused for a folder of another configuration, or one that another
        process is writing to.
        """
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._refuse_others(config)
            self._file: IO[bytes] = open(path / "events.jsonl", "ab+")
        except OSError as error:
            raise RunFolderRefused(f"cannot write to {path}: {error.strerror}") from error
        self._lock()
        try:
            # Once more: until now another process may have begun a run of its own here.
            if not self._refuse_others(config):
                self._write_header(config, provenance)
            self.events, self.torn_bytes = self._load_and_trim()
        except (OSError, RunFolderRefused) as error:
            self._file.close()
            if isinstance(error, OSError):
                raise RunFolderRefused(f"cannot write to {path}: {error.strerror}") from error
            raise

    def append(self, event: Event) -> None:
        """Write one event and flush it.

        Raises NasArenaError where that fails, for example on a full disk; the run is resumable.
        """
        line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise NasArenaError(
                f"cannot write to {self.path / 'events.jsonl'}: {error.strerror}; "
                f"everything before is kept, run the same command again when there is room"
            ) from error

    def close(self) -> None:
        try:
            self._file.close()
        except OSError:
            pass  # bytes that a full disk refused once are refused again; `append` has said so

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _lock(self) -> None:
        lock_file(self._file, self.path, _WAIT_S)

    def _refuse_others(self, config: Mapping[str, Any]) -> bool:
        """Whether this configuration's header is there; raises where another's is, or none is and
        there are events."""
        if not (self.path / "run.json").exists():
            _refuse_headless(self.path)
            return False
        refuse_another_config(self.path, _read_header(self.path), config)
        return True

    def _write_header(self, config: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
        header = {"config_hash": config_hash(config), "config": dict(config)}
        # Written beside and moved, so that a crash leaves either no header or a whole one.
        draft = self.path / "run.json.draft"
        draft.write_text(json.dumps({**header, **provenance}, indent=1) + "\n")
        draft.replace(self.path / "run.json")

    def _load_and_trim(self) -> tuple[list[Event], int]:
        self._file.seek(0)
        events, good_bytes, torn_bytes = _parse(iter(self._file), self.path)
        if torn_bytes:
            self._file.truncate(good_bytes)
        return events, torn_bytes


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run folder as read: what figures, tables and `nasarena status` are made from."""

    path: Path
    header: Mapping[str, Any]
    events: list[Event] = field(repr=False)
    torn_bytes: int = 0

    @property
    def config(self) -> Mapping[str, Any]:
        config: Mapping[str, Any] = self.header["config"]
        return config

    @property
    def state(self) -> State:
        """`finished`, `failed` (its last event says why) or `partial`."""
        if not self.events:
            return "partial"
        last = self.events[-1]["event"]
        if last == "finished":
            return "finished"
        return "failed" if last == "failed" else "partial"

    @property
    def is_searched(self) -> bool:
        """Whether its search has ended, so that nobody will be asked again."""
        return any(event["event"] in ("searched", "finished") for event in self.events)

    def of_kind(self, kind: str) -> Iterator[Event]:
        """Events of one kind, in order."""
        return (event for event in self.events if event["event"] == kind)

    def trials(self) -> list[Trial]:
        """Settled trials, in order of their index."""
        return [Trial.from_json(event["trial"]) for event in self.of_kind("settled")]


def read_run(path: Path) -> RunRecord:
    """Read a run folder without touching it. Raises RunFolderRefused if there is none."""
    header = _read_header(path)
    content = _read_file(path / "events.jsonl") or b""
    events, _, torn_bytes = _parse(iter(BytesIO(content)), path)
    return RunRecord(path, header, events, torn_bytes)


def read_runs(folder: Path) -> tuple[list[RunRecord], dict[Path, str]]:
    """Every run below `folder` that can be read, and of the others why not, in order of the path.

    What is damaged or foreign costs nobody else's runs.
    """
    records, unreadable = list[RunRecord](), dict[Path, str]()
    for path in find_runs(folder):
        try:
            records.append(read_run(path))
        except RunFolderRefused as error:
            unreadable[path] = str(error)
    return records, unreadable


def find_record(path: Path) -> RunRecord | None:
    """What a folder holds of a run so far; None where none was begun.

    Raises RunFolderRefused for one that cannot be read.
    """
    if (path / "run.json").exists():
        return read_run(path)
    _refuse_headless(path)
    return None


def _refuse_headless(path: Path) -> None:
    """Events without a header would become those of whatever configuration comes next."""
    events = path / "events.jsonl"
    if events.exists() and events.stat().st_size:
        raise RunFolderRefused(
            f"{events} holds events, but there is no run.json that says of which "
            f"configuration; {_REMEDY}"
        )


def refuse_another_config(path: Path, header: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Raise RunFolderRefused where the run at `path`, by its header, is not of this `config`."""
    if header["config_hash"] != config_hash(header["config"]):
        raise RunFolderRefused(
            f"{path / 'run.json'} was edited: its config is not the one that its config_hash is "
            f"of; {_REMEDY}"
        )
    if header["config_hash"] != config_hash(config):
        raise RunFolderRefused(
            f"{path} holds a run of another configuration "
            f"({difference(header['config'], config)}); "
            f"choose another comparison name or give overwrite=true"
        )


def find_runs(folder: Path) -> list[Path]:
    """Run folders below `folder`, sorted by path; `folder` itself if it is one."""
    return sorted(file.parent for file in folder.rglob("run.json"))


def drop_measurements(events: list[Event]) -> list[Event]:
    """Events as they must be equal between an interrupted run and one that was not."""
    return [{key: event[key] for key in event if key != "measured"} for event in events]


def _read_header(path: Path) -> dict[str, Any]:
    file = path / "run.json"
    content = _read_file(file)
    if content is None:
        raise RunFolderRefused(f"{path} is not a run folder: it has no run.json")
    try:
        header: dict[str, Any] = json.loads(content)
        header["config_hash"], {**header["config"]}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunFolderRefused(
            f"{file} cannot be read as the header of a run: {error}; {_REMEDY}"
        ) from error
    return header


def _read_file(file: Path) -> bytes | None:
    """The content, None if there is no such file; whatever else lies there is not waited for."""
    try:
        return read_bounded(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunFolderRefused(f"{file} cannot be read: {error.strerror}; {_REMEDY}") from error


def _parse(lines: Iterator[bytes], path: Path) -> tuple[list[Event], int, int]:
    """Events, the bytes they span, and those of a torn line after them: only the last may be."""
    decode = json.JSONDecoder(object_pairs_hook=_share_words).decode
    events: list[Event] = []
    good_bytes = torn_bytes = 0
    for number, line in enumerate(lines, start=1):
        try:
            if not line.endswith(b"\n"):
                raise ValueError("no newline at its end")
            events.append(decode(line.decode()))
        except (ValueError, RecursionError) as error:
            if next(lines, b""):
                raise RunFolderRefused(
                    f"{path / 'events.jsonl'} is damaged at line {number} ({error}); "
                    f"only the last line of a run that was cut off may be torn"
                ) from error
            torn_bytes = len(line)
            break
        good_bytes += len(line)
    if (found := find_contradiction(events, Trial.from_json)) is not None:
        raise RunFolderRefused(
            f"{path / 'events.jsonl'} is damaged at line {found[0]} ({found[1]}); {_REMEDY}"
        )
    return events, good_bytes, torn_bytes


def _share_words(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of a record, its words held once however many events have them.

    A run of 100,000 trials takes half the memory.
    """
    return {sys.intern(key): sys.intern(one) if type(one) is str else one for key, one in pairs}
