"""The record of a run's calls: every reply belongs to its request, or the run is refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from nasarena.agents.llm.client import Client
from nasarena.agents.llm.errors import LlmRecordBroken
from nasarena.agents.llm.messages import Reply, Request
from nasarena.agents.llm.store import PlaybackClient, RecordedClient, Store
from nasarena.search.errors import ReplayDiverged
from nasarena.search.journal import Journal
from nasarena.search.run_folder import RunFolder, read_run
from nasarena.search.trial import LlmCost

REQUESTS = [
    Request(({"role": "user", "content": f"propose the pattern number {k}"},), seed=k)
    for k in range(3)
]


class Echo:
    """Answers with the last message and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def complete(self, request: Request) -> Reply:
        self.asked.append(request)
        cost = LlmCost(calls=1, prompt_tokens=7, completion_tokens=3, seconds=0.5)
        return Reply(request.messages[-1]["content"].upper(), cost)


def no_model() -> NoReturn:
    raise AssertionError("a model is asked for")


@contextmanager
def recorded(path: Path, model: Client | None = None) -> Iterator[RecordedClient]:
    """A client on the record of a run, and `model` behind it."""
    with RunFolder(path, {}, {}) as folder:
        yield RecordedClient(Journal(folder), Store(path), (lambda: model) if model else no_model)


def record_calls(path: Path) -> list[Reply]:
    with recorded(path, Echo()) as client:
        return [client.complete(request) for request in REQUESTS]


def test_what_is_on_record_is_answered_without_a_model_and_the_rest_with_one(
    tmp_path: Path,
) -> None:
    replies = record_calls(tmp_path)
    with recorded(tmp_path) as client:
        assert [client.complete(request) for request in REQUESTS] == replies
    model, later = Echo(), replace(REQUESTS[0], seed=9)
    with recorded(tmp_path, model) as client:
        assert [client.complete(request) for request in (*REQUESTS, later)][:3] == replies
    assert model.asked == [later]
    assert len(list(read_run(tmp_path).of_kind("llm_call"))) == 4


OTHER_REQUESTS = {
    "the prompt was 'user: propose .*', is 'system: .*' from character 0;": replace(
        REQUESTS[1], messages=({"role": "system", "content": "propose the pattern number 1"},)
    ),
    "the prompt was '.*number 1.*', is '.*number 5.*' from character 13;": replace(
        REQUESTS[1], messages=({"role": "user", "content": "propose the pattern number 5"},)
    ),
    "temperature was '0.8', is '0.1'": replace(REQUESTS[1], temperature=0.1),
    "seed was '1', is '2'": replace(REQUESTS[1], seed=2),
    "max_tokens was '400', is '40'": replace(REQUESTS[1], max_tokens=40),
    "schema was 'null', is ": replace(REQUESTS[1], schema={"type": "object"}),
}


@pytest.mark.parametrize("words", OTHER_REQUESTS)
def test_a_request_that_is_not_the_recorded_one_gets_no_reply(words: str, tmp_path: Path) -> None:
    record_calls(tmp_path)
    with recorded(tmp_path) as resumed:
        for client in (resumed, PlaybackClient(read_run(tmp_path))):
            client.complete(REQUESTS[0])
            with pytest.raises(ReplayDiverged, match=f"call 2 is not the recorded one: {words}"):
                client.complete(OTHER_REQUESTS[words])


def test_a_playback_goes_on_after_the_calls_it_has_and_ends_with_the_record(
    tmp_path: Path,
) -> None:
    replies = record_calls(tmp_path)
    client = PlaybackClient(read_run(tmp_path), num_done=1)
    assert [client.complete(request) for request in REQUESTS[1:]] == replies[1:]
    with pytest.raises(ReplayDiverged, match="has 3 recorded calls, .* makes one more"):
        client.complete(REQUESTS[0])


def test_a_reply_that_was_removed_or_changed_is_refused_in_one_line(tmp_path: Path) -> None:
    record_calls(tmp_path)
    (event, *_) = read_run(tmp_path).of_kind("llm_call")
    file = tmp_path / "llm" / f"{event['reply']}.json"
    whole = file.read_text()
    for text, words in (
        (whole.replace("NUMBER 0", "NUMBER 1"), "was changed since it was recorded"),
        (whole[:-9], "cannot be read"),
        (None, "is missing, though an event refers to it"),
    ):
        if text is None:
            file.unlink()
        else:
            file.write_text(text)
        with pytest.raises(LlmRecordBroken, match=words) as caught:
            PlaybackClient(read_run(tmp_path)).complete(REQUESTS[0])
        assert "\n" not in str(caught.value)
    file.write_text(whole)
    PlaybackClient(read_run(tmp_path)).complete(REQUESTS[0])
