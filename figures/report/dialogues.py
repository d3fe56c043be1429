"""What a language model was asked for a trial, and what it answered, from a run's `llm/` folder.

Requests and replies lie there by the hash of their content, which `llm_call` events name; the calls
before an `asked` event were made for the first trial that it asks for. A record that is missing,
too large or no such thing is left out: the page loses a prompt, never a trial.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from nasarena.search.run_folder import RunRecord

_KEY = re.compile(r"[0-9a-f]{8,64}")  # nothing that leads out of the folder
_MAX_BYTES = 1_000_000


def dialogues(record: RunRecord) -> dict[int, list[tuple[str, str]]]:
    """Prompt and reply of each call, by the index of the trial that it was made for."""
    found: dict[int, list[tuple[str, str]]] = {}
    waiting: list[tuple[str, str]] = []
    for event in record.events:
        if event["event"] == "llm_call":
            request, reply = _read(record, event.get("key")), _read(record, event.get("reply"))
            waiting.append((_prompt(request), str(reply.get("text", ""))))
        elif event["event"] == "asked" and waiting:
            found[int(event["first"])] = waiting
            waiting = []
    return found


def _read(record: RunRecord, key: object) -> Mapping[str, Any]:
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        return {}
    file = record.path / "llm" / f"{key}.json"
    try:
        if file.is_symlink() or not file.is_file() or file.stat().st_size > _MAX_BYTES:
            return {}
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, Mapping) else {}


def _prompt(request: Mapping[str, Any]) -> str:
    """The messages of a request one below the other, each under its role if there are several."""
    messages = request.get("messages")
    if not isinstance(messages, list):
        return ""
    said = [each for each in messages if isinstance(each, Mapping)]
    texts = [str(each.get("content", "")) for each in said]
    if len(texts) == 1:
        return texts[0]
    return "\n\n".join(
        f"[{each.get('role')}] {text}" for each, text in zip(said, texts, strict=True)
    )
