"""Which cards an agent is shown: those that BM25 finds for its task, its parent and its failure.

A pure function of its arguments, so a resumed or replayed run is shown the same cards. What the
parent of a proposal was shown is passed over, so that a chain of improvements reads on; who starts
from nothing draws among the best, so that drafts do not all read the same. `on` and `placebo`
differ in the shelf alone: number and length of cards are alike.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np

from nasarena.agents.literature.cards import Card, Shelf, load_cards
from nasarena.search.errors import InvalidSetting

Literature = Literal["off", "on", "placebo"]
NUM_CARDS = 3  # of a prompt
HEADING = "From the literature (it may help or not; your own trials decide)"
_WIDER = 4  # times as many cards are drawn from
_FAILURE_WEIGHT = 3  # a word of the last failure counts as often as three of the rest
_SHELVES: dict[Literature, Shelf] = {"on": "cards", "placebo": "placebo"}
_WORD = re.compile(r"[a-z]+[0-9]*")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a prompt shows, and the ids of the cards in it; both empty with literature off."""

    text: str = ""
    ids: tuple[str, ...] = ()


def require_library() -> None:
    """Raises InvalidSetting, in one line, where the package that searches is missing."""
    if find_spec("bm25s") is None:
        raise InvalidSetting(
            "literature=on and placebo need the package 'bm25s', which is not installed: "
            "pip install 'nasarena[literature]', or literature=off"
        )


def read_literature(
    mode: Literature,
    task: str,
    parent: str = "",
    failure: str = "",
    read_before: Collection[str] = (),
    rng: np.random.Generator | None = None,
    count: int = NUM_CARDS,
) -> Reading:
    """The `count` cards that fit best, the best first; with `rng`, drawn among four times as many.

    `task` describes the task, `parent` is the program or the list of edits to start from,
    `failure` what went wrong last, `read_before` ids to pass over. Raises InvalidSetting where
    the package that searches is missing.
    """
    if mode == "off":
        return Reading()
    require_library()
    shelf = _SHELVES[mode]
    cards = load_cards(shelf)
    words = [*_words(f"{task} {parent}"), *_words(failure) * _FAILURE_WEIGHT]
    order = _rank(shelf, words)
    fresh = [place for place in order if cards[place].id not in read_before]
    again = [place for place in order if cards[place].id in read_before]
    best = (fresh + again)[: count if rng is None else _WIDER * count]
    if rng is not None:
        best = [best[k] for k in sorted(rng.permutation(len(best))[:count])]
    chosen = [cards[place] for place in best]
    return Reading(_in_words(chosen), tuple(card.id for card in chosen))


def _in_words(cards: Sequence[Card]) -> str:
    return "\n".join([f"{HEADING}:", *(f"[{card.id}] {card.text}" for card in cards)])


def _words(text: str) -> list[str]:
    """The different words of a text or a program; `matrix_lr=0.02` is two of them."""
    return list(dict.fromkeys(_stem(word) for word in _WORD.findall(text.lower())))


def _stem(word: str) -> str:
    """Singular and plural count as one word; what else a stemmer does matters little here."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _rank(shelf: Shelf, words: list[str]) -> list[int]:
    """Places of all cards by their scores, ties by their place."""
    index, known = _index(shelf)
    asked = [word for word in words if word in known]
    cards = load_cards(shelf)
    if not asked:
        return list(range(len(cards)))
    scores = index.get_scores(asked).tolist()
    return sorted(range(len(cards)), key=lambda place: -scores[place])


@cache
def _index(shelf: Shelf) -> tuple[Any, frozenset[str]]:
    """BM25 over the cards, citations left out, and every word that it knows."""
    import bm25s

    texts = [f"{c.id} {c.title} {c.idea} {c.when} {c.cost}" for c in load_cards(shelf)]
    tokens = [[_stem(word) for word in _WORD.findall(text.lower())] for text in texts]
    index = bm25s.BM25()
    index.index(tokens, show_progress=False)
    return index, frozenset(word for row in tokens for word in row)
