"""Lessons as arrays: several replies behind one prompt, none of which sees another.

    segment   0 0 0 0 0 | 1 1 1 1 1 1 1 1 1 | 2 2 2 2 | 3 3 3 3 | 4 4 4
    text      prompt    | whole reply       | rationale of further replies, then probes
    position  0 1 2 3 4 | 5 6 7 ...         | 5 6 7 8 | 5 6 7 8 | 5 6 7

A token sees what came before it in the prompt and in its own segment. Only the first reply is
written out; copying the pattern is learned soon, and the others teach what to decide. Of a probe
only the gain is a target: it teaches what a change is worth, not to propose it.
Shapes: B lessons, T tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nasarena.agents.scribe.data import DEFAULT, Lesson, Teaching, shard
from nasarena.agents.scribe.vocabulary import END, OPENING, build_tokenizer, prompt_text
from nasarena.search.seeding import stream

if TYPE_CHECKING:
    from tokenizers import Tokenizer

IGNORE = -100
PADDING = -1  # segment of padding


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids, positions, segments and targets, each `(B, T)`; a target may be IGNORE."""

    ids_BT: NDArray[np.int64]
    positions_BT: NDArray[np.int64]
    segments_BT: NDArray[np.int64]
    targets_BT: NDArray[np.int64]


def shard_batches(
    seed: int, index: int, max_tokens: int, num_runs: int, teaching: Teaching = DEFAULT
) -> list[Batch]:
    """Batches of one shard of lessons, in a random order, each of at most `max_tokens` cells."""
    tokenizer = build_tokenizer()
    rows = [encode(tokenizer, lesson) for lesson in shard(seed, index, num_runs, teaching)]
    rng = stream(seed, "batches", index)
    rows = [rows[i] for i in rng.permutation(len(rows))]
    batches: list[Batch] = []
    for start in range(0, len(rows), 512):  # alike in length, yet mixed
        pool = sorted(rows[start : start + 512], key=lambda row: row.shape[1])
        group: list[NDArray[np.int64]] = []
        for row in pool:
            if group and (len(group) + 1) * row.shape[1] > max_tokens:
                batches.append(pad(group))
                group = []
            group.append(row)
        batches.append(pad(group))
    return [batches[i] for i in rng.permutation(len(batches))]


def encode(tokenizer: "Tokenizer", lesson: Lesson) -> NDArray[np.int64]:
    """Ids, positions, segments and targets of one lesson, shape `(4, T)`."""
    prompt = tokenizer.encode(prompt_text(lesson.prompt)).ids
    targets = prompt[1:] + tokenizer.encode(OPENING).ids
    columns = [(prompt, list(range(len(prompt))), [0] * len(prompt), targets)]
    for number, reply in enumerate(lesson.replies, start=1):
        text = reply.text() + END if number == 1 else reply.rationale()
        ids = tokenizer.encode(text).ids
        positions = list(range(len(prompt), len(prompt) + len(ids) - 1))
        columns.append((ids[:-1], positions, [number] * (len(ids) - 1), ids[1:]))
    for number, probe in enumerate(lesson.probes, start=1 + len(lesson.replies)):
        ids = tokenizer.encode(probe.claim()).ids
        num = len(ids) - 1
        positions = list(range(len(prompt), len(prompt) + num))
        columns.append((ids[:-1], positions, [number] * num, [IGNORE] * (num - 1) + ids[-1:]))
    return np.hstack([np.array(column, dtype=np.int64) for column in columns])


def pad(rows: Sequence[NDArray[np.int64]]) -> Batch:
    """Rows of `(4, T)` side by side, filled up on the right."""
    length = max(row.shape[1] for row in rows)
    filling = np.array([0, 0, PADDING, IGNORE])[:, None]
    full = np.stack(
        [np.hstack([row, np.repeat(filling, length - row.shape[1], 1)]) for row in rows], axis=1
    )
    return Batch(*full)
