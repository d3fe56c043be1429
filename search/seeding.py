"""Named random streams: every use of randomness has a seed that depends on its name alone.

A stream is fixed by (run seed, role), never by who draws first, so the noise of a proxy is the
same whichever searcher asks and in whatever order. No code of ours touches a global generator.
"""

import hashlib

import numpy as np


def stable_hash(*parts: str | int) -> int:
    """64-bit hash of `parts`, equal across processes, platforms and Python versions."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def stream(run_seed: int, *role: str | int) -> np.random.Generator:
    """The generator of one role of one run, e.g. `stream(3, "proxy", "init", pattern, 0)`."""
    return np.random.default_rng([run_seed, stable_hash(*role)])


def stream_seed(run_seed: int, *role: str | int) -> int:
    """A 63-bit integer seed for libraries that take no numpy generator (torch, optuna)."""
    return stable_hash("seed", run_seed, *role) >> 1
