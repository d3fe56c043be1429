"""How many threads the libraries of numbers take: one a process, where processes share the cores.

They read these variables when they are imported, so the variables must be set before that.
"""

import os

_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def thread_environment(num_threads: int) -> dict[str, str]:
    """What a process starts with that shall take so many threads."""
    return dict.fromkeys(_VARIABLES, str(num_threads))


def default_to_one_thread() -> None:
    """One thread in this process and those that it starts, unless the user said otherwise."""
    for name, value in thread_environment(1).items():
        os.environ.setdefault(name, value)
