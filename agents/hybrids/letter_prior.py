"""A prior over patterns from a language model's token log-probabilities, position by position.

When a model writes a pattern under a constraint, each token comes with the log-probabilities of the
tokens that could have stood there instead. Read per letter that is p(letter | what was written
before); averaged over a few sampled patterns it is a distribution for each position. A token may
span several letters ("AA", "MS"): then the letter at offset j is judged among the alternatives that
agree with the token before j and are long enough to have a letter there.

The distribution is mixed with a little of the uniform one, so that no pattern is ever excluded.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nasarena.agents.llm.messages import TokenChoice
from nasarena.search.space import PatternSpace

Array = NDArray[np.float64]
UNIFORM_SHARE = 0.1


def letter_shares(tokens: Sequence[TokenChoice], pattern: str, alphabet: str) -> Array | None:
    """p(letter | prefix) for each position of `pattern`, `(depth, len(alphabet))`.

    `tokens` spell the whole reply, which holds the pattern once, the last occurrence counts. None
    if the tokens do not spell it, as when the text was salvaged.
    """
    text = "".join(choice.token for choice in tokens)
    start = text.rfind(pattern)
    if start < 0:
        return None
    shares = np.zeros((len(pattern), len(alphabet)))
    at = 0
    for choice in tokens:
        for offset, letter in enumerate(choice.token):
            place = at + offset - start
            if 0 <= place < len(pattern):
                shares[place] = _shares_at(choice, offset, letter, alphabet)
        at += len(choice.token)
    return shares


def _shares_at(choice: TokenChoice, offset: int, letter: str, alphabet: str) -> Array:
    """Shares of the letters at one offset of a token; certain of `letter` if nothing is known."""
    before = choice.token[:offset]
    weights = np.zeros(len(alphabet))
    for token, logprob in choice.alternatives.items():
        if len(token) > offset and token.startswith(before) and token[offset] in alphabet:
            weights[alphabet.index(token[offset])] += np.exp(logprob)
    if not weights.sum() > 0:
        weights[alphabet.index(letter)] = 1.0
    shares: Array = weights / weights.sum()
    return shares


def mean_prior(shares: Sequence[Array], space: PatternSpace) -> Array:
    """The mean of several shares, mixed with the uniform distribution; uniform if there are none.

    Shape `(depth, len(alphabet))`, each row sums to 1, no entry is 0.
    """
    uniform = np.full((space.depth, len(space.alphabet)), 1 / len(space.alphabet))
    if not shares:
        return uniform
    mixed: Array = (1 - UNIFORM_SHARE) * np.mean(shares, axis=0) + UNIFORM_SHARE * uniform
    return mixed


def log_prior(prior: Array, patterns: Sequence[str], space: PatternSpace) -> Array:
    """Log-probability of whole patterns under independent positions, `(len(patterns),)`."""
    digits = np.array([space.digits(pattern) for pattern in patterns]).reshape(-1, space.depth)
    total: Array = np.log(prior)[np.arange(space.depth), digits].sum(axis=1)
    return total


def sample(prior: Array, space: PatternSpace, count: int, rng: np.random.Generator) -> list[str]:
    """`count` patterns drawn from the prior, by inversion of its cumulative sums."""
    edges = np.cumsum(prior, axis=1)[:, :-1]
    digits = (rng.random((count, space.depth, 1)) >= edges).sum(axis=2)
    return [space.from_digits(row) for row in digits]


def mutate(prior: Array, space: PatternSpace, pattern: str, rng: np.random.Generator) -> str:
    """`pattern` with one position set to another letter, drawn by the prior among the others.

    The position is drawn by how little the prior likes what stands there, so both choices lean on
    the model: p(position) is proportional to 1 - prior(letter at position).
    """
    if len(space.alphabet) == 1:
        return pattern
    digits = space.digits(pattern)
    doubt = 1 - prior[np.arange(space.depth), digits]
    place = int(rng.choice(space.depth, p=doubt / doubt.sum()))
    weights = prior[place].copy()
    weights[digits[place]] = 0.0
    digits[place] = rng.choice(len(weights), p=weights / weights.sum())
    return space.from_digits(digits)
