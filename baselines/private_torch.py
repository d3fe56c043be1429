"""A block of torch code with random numbers of its own.

BoTorch draws from torch's global generator (restarts of a fit, base samples). Inside this block
the generator is seeded from the searcher's stream, and afterwards it stands where it stood, so
nothing leaks in or out. Warnings inside are the library's business: numerical remarks on a fit
that its fallbacks already deal with.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def private_torch(rng: np.random.Generator) -> Iterator[None]:
    """Draws one integer from `rng`, whatever happens inside the block."""
    import torch

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.default_generator.manual_seed(int(rng.integers(2**31)))
        yield
