"""Where the token embeddings start: what a token is made of, not its place in the vocabulary.

The embedding of ` 11A` starts as the sum of a vector for place 11 and the vector of the token `A`,
and levels and gains start on a smooth curve, so that what is learned of one place, letter or level
holds for the others from the first step. Training is free to change all of them.
"""

import re

import numpy as np
from numpy.typing import NDArray

from nasarena.agents.scribe.landscapes import DEPTHS
from nasarena.agents.scribe.vocabulary import GAINS, build_tokenizer

SCALE = 0.04  # standard deviation of an element


def initial_embeddings(width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Embeddings of the whole vocabulary, shape `(vocabulary, width)`."""
    vocabulary = build_tokenizer().get_vocab()
    result = rng.standard_normal((len(vocabulary), width))
    places = rng.standard_normal((DEPTHS[1] + 1, width))
    waves, newline = rng.standard_normal((8, width)), rng.standard_normal(width)
    gains = {text.replace(" ", "\u0120"): order for order, text in enumerate(GAINS)}
    for token, index in vocabulary.items():
        if change := re.fullmatch("\u0120([0-9]+)([A-Z])", token):
            letter = result[vocabulary[change[2]]]
            result[index] = (places[int(change[1])] + letter) / np.sqrt(2)
        elif level := re.fullmatch("\u010a([0-9]{2})", token):
            result[index] = (newline + _curve(int(level[1]) / 99) @ waves) / np.sqrt(2)
        elif token in gains:
            share = gains[token] / (len(gains) - 1)
            result[index] = (result[index] + _curve(share) @ waves) / np.sqrt(2)
    scaled: NDArray[np.float32] = (SCALE * result).astype(np.float32)
    return scaled


def _curve(share: float) -> NDArray[np.float64]:
    """Eight numbers of mean square 1/8 that change smoothly with a share in 0..1."""
    angles = np.pi * share * np.array([0.5, 1, 2, 4])
    return np.concatenate([np.cos(angles), np.sin(angles)]) / 2
