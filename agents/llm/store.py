"""The record of all calls of a run, and playing it back: no server, byte for byte.

Requests and replies lie in `llm/` of the run folder as `<hash of the content>.json`; the events
`llm_call` say in which order. A recorded client answers from the record as long as it lasts and
checks each request against it, then asks the model behind it and writes down the answer before
anyone acts on it. So a run that was cut off asks nothing twice.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from nasarena.agents.llm.client import Client
from nasarena.agents.llm.errors import LlmRecordBroken
from nasarena.agents.llm.messages import Reply, Request, content_hash
from nasarena.agents.llm.text import one_line
from nasarena.search.errors import NasArenaError, ReplayDiverged
from nasarena.search.journal import Journal
from nasarena.search.run_config import first_difference
from nasarena.search.run_folder import Event, RunRecord
from nasarena.search.untrusted.bounded_read import read_bounded

EVENT = "llm_call"
FOLDER = "llm"


class Store:
    """Plain values by the hash of their content, a file each."""

    def __init__(self, run_folder: Path) -> None:
        self.folder = run_folder / FOLDER

    def put(self, record: Mapping[str, Any]) -> str:
        """Keep `record`; returns its hash. A crash leaves no half-written file.

        Raises NasArenaError where the file cannot be written.
        """
        key = content_hash(record)
        file = self.folder / f"{key}.json"
        if not file.exists():
            draft = file.with_suffix(".draft")
            try:
                self.folder.mkdir(exist_ok=True)
                draft.write_text(json.dumps(record, sort_keys=True, indent=1) + "\n")
                draft.replace(file)
            except OSError as error:
                raise NasArenaError(
                    f"cannot write to {self.folder}: {error.strerror}; everything before is kept, "
                    f"run the same command again when there is room"
                ) from error
        return key

    def has(self, key: str) -> bool:
        """Whether a record of this hash lies here; a run that was shipped has no requests."""
        return (self.folder / f"{key}.json").is_file()

    def get(self, key: str) -> dict[str, Any]:
        """The record of this hash. Raises LlmRecordBroken if it is missing or was changed."""
        file = self.folder / f"{key}.json"
        try:
            record: dict[str, Any] = json.loads(read_bounded(file))
        except FileNotFoundError as error:
            raise LlmRecordBroken(
                f"{file} is missing, though an event refers to it; put it back, or remove the run "
                f"to begin again"
            ) from error
        except (OSError, ValueError, RecursionError) as error:
            raise LlmRecordBroken(f"{file} cannot be read: {error}") from error
        if content_hash(record) != key:
            raise LlmRecordBroken(f"{file} was changed since it was recorded; put it back")
        return record


class RecordedClient:
    """Answers from the record of a run first, then from the client behind it, recording.

    `connect` makes that client at the first call that the record does not answer, so a run that is
    wholly on record needs no server.
    """

    def __init__(self, journal: Journal, store: Store, connect: Callable[[], Client]) -> None:
        self._journal, self._store, self._connect = journal, store, connect
        self._client: Client | None = None
        self._number = 0

    def complete(self, request: Request) -> Reply:
        """The reply, on record before it is returned."""
        event = self._journal.replay(EVENT)
        self._number += 1
        if event is not None:
            return replay_reply(event, self._number, request, self._store)
        if self._client is None:
            self._client = self._connect()
        reply = self._client.complete(request)
        cost = reply.cost
        self._journal.append(
            EVENT,
            {"s": cost.seconds},
            key=self._store.put(request.to_json()),
            reply=self._store.put(reply.to_json()),
            prompt_tokens=cost.prompt_tokens,
            completion_tokens=cost.completion_tokens,
            finish_reason=reply.finish_reason,
        )
        return reply


class PlaybackClient:
    """Answers from the record of a finished run and from nothing else: a replay in a new folder.

    A replay that was cut off has its first `num_done` calls on its own record already.
    """

    def __init__(self, record: RunRecord, num_done: int = 0) -> None:
        self._events: Iterator[Event] = islice(record.of_kind(EVENT), num_done, None)
        self._store = Store(record.path)
        self._path = record.path
        self._number = num_done

    def complete(self, request: Request) -> Reply:
        """The recorded reply. Raises ReplayDiverged for another request, or one too many."""
        self._number += 1
        event = next(self._events, None)
        if event is None:
            raise ReplayDiverged(
                f"{self._path} has {self._number - 1} recorded calls, the searcher now makes one "
                f"more: it has changed since"
            )
        return replay_reply(event, self._number, request, self._store)

    def close(self) -> None:
        """Nothing to close; clients of servers have this too."""


def replay_reply(event: Event, number: int, request: Request, store: Store) -> Reply:
    """The reply on record for call `number`, from 1, provided that the request is still the same.

    Raises ReplayDiverged, saying in what the requests differ, or LlmRecordBroken.
    """
    if event["key"] != request.key:
        where = "its request is not on record"
        if store.has(event["key"]):
            where = _request_difference(store.get(event["key"]), request.to_json())
        raise ReplayDiverged(
            f"{store.folder.parent}: call {number} is not the recorded one: {where}; replay with "
            f"the code and the options of then, or give the run another name"
        )
    record = store.get(event["reply"])
    try:
        return Reply.from_json(record)
    except (TypeError, KeyError, ValueError) as error:
        raise LlmRecordBroken(f"reply {event['reply']} in {store.folder} is no reply") from error


def _request_difference(recorded: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """The first thing in which two requests differ; of a text, the piece around the place."""
    before, after = recorded.get("messages"), asked["messages"]
    if before != after and isinstance(before, list):
        return _text_difference(_join_messages(before), _join_messages(after))
    first = first_difference(recorded, asked)
    if first is None:
        return "it has other fields"
    name, before, after = first
    return f"{name} was {_quote(before)}, is {_quote(after)}"


def _text_difference(before: str, after: str) -> str:
    pairs = zip(before, after, strict=False)
    place = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(before), len(after)))
    start = max(0, place - 20)
    return (
        f"the prompt was {_quote(before[start : place + 30])}, is "
        f"{_quote(after[start : place + 30])} from character {start}"
    )


def _join_messages(messages: list[Mapping[str, str]]) -> str:
    return "\n".join(f"{message['role']}: {message['content']}" for message in messages)


def _quote(value: object) -> str:
    return repr(one_line(value if isinstance(value, str) else json.dumps(value), 60))
