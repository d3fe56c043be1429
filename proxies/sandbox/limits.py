"""What a command may use, and everything else a sandbox is told: plain values, sent as JSON."""

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from nasarena.search.errors import InvalidSetting

Level = Literal["limits", "landlock", "sandlock", "bubblewrap", "container"]
LEVELS: tuple[Level, ...] = get_args(Level)

# Why a command ended. `exit` also stands for a crash; `refused`: the fence could not be put up.
Cause = Literal[
    "exit", "wall", "memory", "disk", "processes", "output", "stopped", "abandoned", "refused"
]


@dataclass(frozen=True)
class Limits:
    """Bounds on the command and all its descendants together, unless said otherwise."""

    wall_s: float = 60.0
    cpu_s: int = 600  # of one process, in seconds of one core
    memory_mib: int = 2048
    shared_mib: int = 256  # /dev/shm, which workers of data loaders need
    disk_mib: int = 512  # the scratch folder
    file_mib: int = 2048  # one file; compilers die of less with errors that look like bugs
    processes: int = 128  # threads count too
    open_files: int = 1024  # of one process
    output_kib: int = 256  # standard output and standard error, each
    keep_mib: int = 64  # one file that is kept of the scratch folder

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if not value > 0:
                raise InvalidSetting(f"{one.name} must be positive, got {value}")


@dataclass(frozen=True)
class Spec:
    """One run of a sandbox, as its guardian gets it."""

    command: tuple[str, ...]
    level: Level
    limits: Limits
    readable: tuple[str, ...]  # files and folders that may be read and executed
    listed: tuple[str, ...]  # folders of which the names alone may be read
    bases: tuple[str, ...]  # folders that contain `readable`, reachable for another user too
    devices: tuple[str, ...]  # files that may be written as well
    environment: dict[str, str] = field(default_factory=dict)
    keep: tuple[str, ...] = ()  # names of files of the scratch folder that outlive it
    kept_in: str = ""  # the folder that they are copied to
    script: str = ""  # a file of Python that is run in place of the command, without a new Python
    container: str = ""  # the command line before the command, for level `container`
    has_gpu: bool = False

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Spec":
        values: dict[str, Any] = json.loads(text)
        values["limits"] = Limits(**values["limits"])
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**{**values, **lists})


@dataclass(frozen=True)
class Ending:
    """How a run of a sandbox ended, said by its guardian and never by the command.

    `seconds` is wall time from the start of the command to its end; `killed` counts processes that
    were still there then; `kept` names the files that were copied.
    """

    cause: Cause
    exit_code: int | None  # negative: the signal that ended it
    seconds: float
    peak_mib: float
    killed: int
    level: Level
    note: str = ""
    kept: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether the command ended by itself and without an error."""
        return self.cause == "exit" and self.exit_code == 0
