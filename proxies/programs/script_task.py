"""What a program is judged on, and the judgment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from nasarena.proxies.sandbox.limits import Limits
from nasarena.search.errors import InvalidSetting

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ScriptTask:
    """Next-byte prediction by a program that trains itself within a time; or labels of rows.

    `train` is all that a program gets to read, `held_out` what the judge alone holds: both 1-D
    arrays of bytes. With `labels`, shape `(n,)` and below `num_classes`, `held_out` are rows
    `(n, width)` to be labelled. With a `frame`, code of ours, a program is a part: the frame finds
    what it defines under `build` and `SETTINGS`, and itself defines what is called. Weights that
    hold more than `most_numbers`, buffers too, have no score. In `flax` there must be a frame. A
    program trains for `seconds` of wall time, or for `steps` steps of its optimizers where that is
    given: a budget for tests, which a program could evade. The time before its training starts
    (building, compiling) is free up to `warmup_seconds`.
    """

    name: str
    train: Bytes
    held_out: Bytes
    length: int = 128
    seconds: float = 20.0
    warmup_seconds: float = 10.0
    steps: int | None = None
    num_windows: int = 256  # or rows
    labels: Bytes | None = None
    num_classes: int = 0
    frame: str = ""
    most_numbers: int | None = None
    framework: Literal["torch", "flax"] = "torch"
    batch: int = 32
    score_seconds: float = 30.0  # for building, loading and answering, of each scoring process
    num_threads: int = 1
    has_gpu: bool = False
    require_sandbox: str | None = "landlock"
    container: str = ""
    vocab_size: int = 256
    limits: Limits = field(default_factory=lambda: Limits(memory_mib=4096))

    def __post_init__(self) -> None:
        need = self.num_windows * (self.length + 1)
        if self.labels is None and len(self.held_out) < need:
            words = f"{need} bytes for {self.num_windows} windows, got {len(self.held_out)}"
            raise InvalidSetting(f"held_out must have {words}")
        if len(self.train) <= self.length:
            raise InvalidSetting(f"train must have more than {self.length} bytes")


@dataclass(frozen=True)
class Verdict:
    """What became of a program. `score` is higher where it is better, None unless `ok`.

    `seconds` are wall seconds of the metered part, by our clock: charged whatever became of it.
    `note` is one line; `log` the end of what the program wrote, never to be rendered or executed.
    """

    status: Literal["ok", "failed"]
    score: float | None
    seconds: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    log: str = ""
    level: str = ""
