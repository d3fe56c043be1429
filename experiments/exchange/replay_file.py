"""A comparison as one compressed file, from which anyone replays it without a language model.

A tar archive, xz-compressed, with what a replay and the figures read: of each run its header, its
events and the replies of its model, and the few files of the comparison beside them. Requests are
left out: a replay makes them anew and holds them against their hashes. The same runs give the same
bytes. What is unpacked may come from anybody: only these files are taken, under plain names, and
every reply lies under the hash of what it says.
"""

import io
import json
import lzma
import re
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from nasarena.agents.llm.errors import LlmRecordBroken
from nasarena.agents.llm.store import EVENT, Store
from nasarena.search.errors import InvalidSetting, NasArenaError
from nasarena.search.run_folder import RunRecord
from nasarena.search.untrusted.bounded_read import read_bounded

SUFFIX = ".tar.xz"
REPLIES = "replies.jsonl"
_OF_RUN = ("run.json", "events.jsonl")
_OF_COMPARISON = ("suite.json", "plan.json", "benchmark.json")
_FILES = "|".join(re.escape(name) for name in (*_OF_RUN, *_OF_COMPARISON, REPLIES))
_NAME = re.compile(rf"(?:[\w=(][\w .,=()+-]*/){{0,4}}(?:{_FILES})")
_MOST_BYTES = 8 << 30  # unpacked


def write_replay(records: Iterable[RunRecord], file: Path, root: Path) -> None:
    """Write the runs below `root` into `file`. Raises NasArenaError where it cannot be written.

    Raises LlmRecordBroken for a run whose replies are not all there.
    """
    draft = file.with_name(f"{file.name}.draft")
    try:
        with (
            lzma.open(draft, "wb", preset=6) as packed,
            tarfile.open(fileobj=packed, mode="w") as tar,
        ):
            for beside in sorted(path for name in _OF_COMPARISON for path in root.rglob(name)):
                _add(tar, str(beside.relative_to(root)), read_bounded(beside))
            for record in records:
                place = record.path.relative_to(root)
                for name in _OF_RUN:
                    _add(tar, str(place / name), read_bounded(record.path / name))
                if replies := "".join(_replies(record)):
                    _add(tar, str(place / REPLIES), replies.encode())
        draft.replace(file)
    except OSError as error:
        raise NasArenaError(f"cannot write {file}: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def _replies(record: RunRecord) -> Iterator[str]:
    """The replies of a run in the order of its calls, one a line, each once."""
    store = Store(record.path)
    for key in dict.fromkeys(event["reply"] for event in record.of_kind(EVENT)):
        yield json.dumps(store.get(key), sort_keys=True, separators=(",", ":")) + "\n"


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # no time, no owner: the same runs are the same bytes
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def read_replay(file: Path, folder: Path) -> int:
    """Unpack into `folder`, which must not be there; how many runs it then has.

    Raises InvalidSetting for a folder that is there, and NasArenaError for a file that is none of
    these; then nothing is left of it.
    """
    if folder.exists():
        raise InvalidSetting(f"{folder} is there already: give another name=")
    draft = folder.with_name(f"{folder.name}.draft")
    if draft.exists():
        raise InvalidSetting(f"{draft} is in the way: an unpacking that was cut off; remove it")
    try:
        draft.mkdir(parents=True)
        with tarfile.open(file, "r:xz") as tar:
            for name, content in _members(tar, file):
                _unpack(draft, name, content)
        draft.rename(folder)
    except (tarfile.TarError, lzma.LZMAError, EOFError, OSError, ValueError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise NasArenaError(f"{file} cannot be unpacked: {error}") from error
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return sum(1 for _ in folder.rglob("run.json"))


def _members(tar: tarfile.TarFile, file: Path) -> Iterator[tuple[str, bytes]]:
    """The files of an archive. Raises NasArenaError for any other than ours, and for too much."""
    left = _MOST_BYTES
    for member in tar:
        if not member.isreg() or not _NAME.fullmatch(member.name):
            raise NasArenaError(f"{file} holds {member.name[:80]!r}, which belongs to no run")
        left -= member.size
        if left < 0:
            raise NasArenaError(f"{file} unpacks to more than {_MOST_BYTES >> 30} GiB")
        content = tar.extractfile(member)
        assert content is not None, "a regular file has a content"
        yield member.name, content.read()


def _unpack(folder: Path, name: str, content: bytes) -> None:
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.name != REPLIES:
        place.write_bytes(content)
        return
    store = Store(place.parent)
    for line in content.splitlines():
        reply = json.loads(line)
        if not isinstance(reply, dict):
            raise LlmRecordBroken(f"{name} holds a line that is no reply")
        store.put(reply)
