"""Several rationales at once, of which the model takes the one that it expects most of.

    set 5M 11A   by +5%   <- the distribution over gains behind the changes, not the token, counts
    set 2S       by -12%
    set 5M 9S    by +18%

A reply says by how much it will beat the best pattern shown before it says the pattern, so the
model predicts what each of its own proposals is worth; the expected improvement under that
prediction is the acquisition function (as in prior-fitted networks, Mueller et al. 2023). A model
that was taught no gains (the first generation) is asked for the probability of `better` instead.
Changes that change nothing, or that lead to a pattern shown, are never sampled or never chosen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nasarena.agents.scribe.decoder import Array, Branches, Cache, Decoder
from nasarena.agents.scribe.vocabulary import PERCENTS
from nasarena.search.space import PatternSpace


@dataclass(frozen=True, slots=True)
class Words:
    """Token ids of the parts of a rationale; `gains` is empty where the model knows none.

    `changes` has shape `(depth, letters)`.
    """

    numbers: Sequence[int]
    hypothesis: int
    changes: NDArray[np.int64]
    gains: Sequence[int]
    expected: int
    better: int
    directions: Sequence[int]


@dataclass(slots=True)
class _Draft:
    """One branch: its tokens so far, the places that it may still change, what it is worth."""

    tokens: list[int]
    open_places: NDArray[np.bool_]
    num_left: int = 0
    changed: list[tuple[int, int]] = field(default_factory=list)
    worth: float | None = None


def choose_rationale(
    decoder: Decoder,
    text: Cache,
    first: Array,
    words: Words,
    history: str,
    space: PatternSpace,
    num_drafts: int,
    temperature: float,
    rng: np.random.Generator,
) -> tuple[list[int], int]:
    """The best draft, from the number of changes to the last one, and the tokens of all drafts.

    `text` is what was read, up to the reply's opening; `first` are the logits behind it.
    """
    best, known = read_changes(history, space)
    drafts = [_Draft([], np.ones(space.depth, dtype=np.bool_)) for _ in range(num_drafts)]
    branches = Branches(text)
    logits_NV = np.tile(first, (num_drafts, 1))
    for step in range(space.depth + 3):
        for draft, logits in zip(drafts, logits_NV, strict=True):
            if draft.worth is None:
                _continue(draft, step, logits, words, best, temperature, rng)
        if all(draft.worth is not None for draft in drafts):
            break
        logits_NV = decoder.extend_each(branches, [draft.tokens[-1] for draft in drafts])
    chosen = max(drafts, key=lambda one: (frozenset(one.changed) not in known, one.worth or 0.0))
    return chosen.tokens[: 2 + len(chosen.changed)], sum(len(draft.tokens) for draft in drafts)


def read_changes(
    history: str, space: PatternSpace
) -> tuple[list[int], set[frozenset[tuple[int, int]]]]:
    """The best pattern of a prompt as digits, and every line as its set of changes of that.

    The first letter throughout where no best pattern is shown, as in the prompt itself.
    """
    digit = {letter: number for number, letter in enumerate(space.alphabet)}
    best, known = [0] * space.depth, set[frozenset[tuple[int, int]]]()
    for number, line in enumerate(history.split("\n")[1:]):
        level, *words = line.split()
        places = [
            (int(word[:-1]) - 1, digit[word[-1]])
            for word in words
            if word[:-1].isdigit() and word[-1] in digit and 1 <= int(word[:-1]) <= space.depth
        ]
        if number == 0 and level == "99":
            for place, letter in places:
                best[place] = letter
            known.add(frozenset())
        else:
            known.add(frozenset(places))
    return best, known


def _continue(
    draft: _Draft,
    step: int,
    logits: Array,
    words: Words,
    best: Sequence[int],
    temperature: float,
    rng: np.random.Generator,
) -> None:
    """Append the next token, or value the draft once its changes are complete."""
    if step == 0:
        chosen = _sample(logits, words.numbers[: len(best)], temperature, rng)
        draft.num_left = 1 + words.numbers.index(chosen)
        draft.tokens.append(chosen)
    elif step == 1:
        draft.tokens.append(words.hypothesis)
    elif draft.num_left:
        allowed = words.changes.copy()
        allowed[np.arange(len(best)), best] = -1
        allowed = allowed[draft.open_places]
        chosen = _sample(logits, allowed[allowed >= 0].tolist(), temperature, rng)
        place, letter = np.argwhere(words.changes == chosen)[0].tolist()
        draft.tokens.append(chosen)
        draft.open_places[place] = False
        draft.changed.append((place, letter))
        draft.num_left -= 1
    elif words.gains:
        shares = _softmax(logits[list(words.gains)])
        draft.worth = float(shares @ np.maximum(PERCENTS, 0))
    elif draft.tokens[-1] != words.expected:
        draft.tokens.append(words.expected)
    else:
        shares = _softmax(logits[list(words.directions)])
        draft.worth = float(shares[list(words.directions).index(words.better)])


def _sample(
    logits: Array, allowed: Sequence[int], temperature: float, rng: np.random.Generator
) -> int:
    wanted = logits[list(allowed)].astype(np.float64) / temperature
    return allowed[int((wanted + rng.gumbel(size=len(wanted))).argmax())]


def _softmax(logits: Array) -> NDArray[np.float64]:
    shares = np.exp(logits.astype(np.float64) - float(logits.max()))
    result: NDArray[np.float64] = shares / shares.sum()
    return result
