"""Replies of a language model, damaged at random, through both parsers.

A reply is read as what was asked for, or refused with the one exception that says so. What is read
keeps its bounds: a pattern of the space, texts on one line, signs that a file can hold. That goes
for the words of a refusal too, which are quoted back to the model. No reply takes long.
"""

import json
import time
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from nasarena.agents.context.view import View
from nasarena.agents.languages.candidate import (
    EXPECTED,
    HYPOTHESIS_LENGTH,
    NAME_LENGTH,
    UnusableReply,
    parse_candidate,
)
from nasarena.agents.operators import analyze
from nasarena.agents.operators.analyze import LESSON_LENGTH
from nasarena.experiments.measure.faults.tally import Tally
from nasarena.search.errors import InvalidPattern
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

_REPLIES = 100_000
_LONGEST_S = 5.0  # of one reply, on a machine however busy
SPACE = PatternSpace("AMS", 16)

Random = np.random.Generator
_SIGNS = [*'{}[]":,\\`\n\r\t\0\x1b', "\u202e", "\ud800", "\U0001f600", "\\ud800", "\\u0000", "\x85"]
_VALUES: list[Any] = [
    None, True, -1, 10**400, 1e308, float("nan"), "", "A" * 16, "AMS", "\ud800" * 16, "x" * 20_000,
    [], {}, ["AMSAMSAMSAMSAMSA"], {"pattern": "AMSAMSAMSAMSAMSA"}, "\u0410" * 16, "better",
]  # fmt: skip


def attack(effort: float) -> list[Tally]:
    """Read damaged replies; `effort` scales how many."""
    rng = stream(0, "fuzz")
    candidates = Tally("parser of candidates", "damaged replies")
    lessons = Tally("parser of lessons", "damaged replies")
    for _ in range(round(_REPLIES * effort)):
        text = damage(honest_reply(rng), rng)
        candidates.note(failure_of(_read_candidate, text))
        lessons.note(failure_of(_read_lesson, text))
    return [candidates, lessons]


def honest_reply(rng: Random) -> dict[str, Any]:
    """What a model should answer, to one question or the other."""
    pattern = SPACE.sample(rng)
    if rng.random() < 0.5:
        return {"evidence": f"{pattern} scored -2.61", "lesson": "Attention belongs in the middle."}
    return {
        "name": "mirror", "hypothesis": "Two attention layers suffice.",
        "expected": str(rng.choice(EXPECTED)), "pattern": pattern,
    }  # fmt: skip


def damage(reply: dict[str, Any], rng: Random) -> str:
    """The reply with up to two wrong values, as text with up to four wrong places."""
    for _ in range(rng.integers(3)):
        key = str(rng.choice([*reply, "extra"]))
        reply[key] = _VALUES[rng.integers(len(_VALUES))]
    return damage_text(json.dumps(reply, ensure_ascii=bool(rng.integers(2))), rng)


def damage_text(text: str, rng: Random, most: int = 4) -> str:
    """The text with up to `most` wrong places."""
    for _ in range(rng.integers(most + 1)):
        text = _MUTATIONS[rng.integers(len(_MUTATIONS))](text, rng)
    return text


def _cut(text: str, rng: Random) -> str:
    return text[: rng.integers(len(text) + 1)]


def _drop(text: str, rng: Random) -> str:
    start, end = np.sort(rng.integers(0, len(text) + 1, 2))
    return text[:start] + text[end:]


def _repeat(text: str, rng: Random) -> str:
    start, end = np.sort(rng.integers(0, len(text) + 1, 2))
    return text[:end] + text[start:end] * int(rng.integers(1, 4)) + text[end:]


def _insert(text: str, rng: Random) -> str:
    place = rng.integers(len(text) + 1)
    sign: str = _SIGNS[rng.integers(len(_SIGNS))]
    sign *= int(rng.choice([1, 2, 50]))
    return text[:place] + sign + text[place:]


def _wrap(text: str, rng: Random) -> str:
    wraps = ("```json\n{}\n```", "Sure! {} Good luck.", "[{}]", "{}{}", "<think>{{</think>{}")
    return wraps[rng.integers(len(wraps))].replace("{}", text)


def _nest(text: str, rng: Random) -> str:
    depth = int(rng.choice([1, 100, 5000]))
    return '{"a":' * depth + text + "}" * int(rng.choice([0, depth]))


_MUTATIONS: list[Callable[[str, Random], str]] = [_cut, _drop, _repeat, _insert, _wrap, _nest]


def failure_of(read: Callable[[str], str], text: str) -> str:
    """What is wrong with how a text is read: `read` says so, or raises what it must not raise."""
    start = time.perf_counter()
    try:
        wrong = read(text)
    except (UnusableReply, InvalidPattern) as refusal:
        wrong = "" if _can_be_written(str(refusal)) else "a refusal that no file can hold"
    except Exception as error:  # any other is what is looked for
        wrong = f"{type(error).__name__}: {error}"
    if time.perf_counter() - start > _LONGEST_S:
        wrong = f"more than {_LONGEST_S:g} s"
    return f"{wrong} for {ascii(text)[:200]}" if wrong else ""


def _read_candidate(text: str) -> str:
    found = parse_candidate(text, SPACE)
    if found.pattern not in SPACE:
        return "a pattern outside the space"
    names = _is_line(found.name, NAME_LENGTH) and _is_line(found.hypothesis, HYPOTHESIS_LENGTH)
    return "" if names else "a text that is no short line"


def _read_lesson(text: str) -> str:
    found = analyze.parse(text, cast(View, None))  # a lesson depends on no view
    return "" if found.text and _is_line(found.text, LESSON_LENGTH) else "no short line"


def _is_line(text: str, limit: int) -> bool:
    return len(text) <= limit and len(text.splitlines()) <= 1 and _can_be_written(text)


def _can_be_written(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
