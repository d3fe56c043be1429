"""Isolates library code that draws from the global random generators.

BoTorch restarts a fit with torch's generator; Nevergrad draws from Python's and numpy's when it is
imported and in some optimizers. Inside this block the generators are seeded from the searcher's
stream, and afterwards they are restored: nothing leaks in or out. Warnings inside are silenced,
because they concern cases that the library's fallbacks already handle.
"""

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def private_random(rng: np.random.Generator, *, uses_torch: bool = False) -> Iterator[None]:
    """Draws one integer from `rng`, whatever happens inside. Not safe beside other threads."""
    if uses_torch:
        import torch
    seed = int(rng.integers(2**31))
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    torch_state = torch.random.get_rng_state() if uses_torch else None
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if uses_torch:
        torch.default_generator.manual_seed(seed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        if torch_state is not None:
            torch.random.set_rng_state(torch_state)
