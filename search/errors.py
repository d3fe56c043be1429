"""The error tree. Everything a user can cause is a `NasArenaError`: one line, exit code 2.

    NasArenaError
    +-- InvalidPattern      a candidate that its space refuses
    +-- InvalidSetting      a setting that is misspelt, missing or contradictory
    +-- BudgetSpent         the next trial does not fit into what is left
    +-- SearcherFailed      a searcher raised, returned nonsense for too long, or never answered
    +-- ProxyFailed         a proxy cannot score anything at all (one bad pattern is a failed trial)
    +-- RunFolderRefused    a run folder of another configuration, or an unreadable one
    +-- ReplayDiverged      a rebuilt searcher did not ask again what the record says it asked

A message says what was expected, what came and what to do. Internal faults are plain exceptions
and keep their traceback.
"""


class NasArenaError(Exception):
    """Base of everything a user can cause; its text is a single line meant for them."""


class InvalidPattern(NasArenaError, ValueError):
    """A candidate that is not a member of the space it was proposed for."""


class InvalidSetting(NasArenaError, ValueError):
    """A setting that is unknown, of the wrong type, out of range, or contradicts another."""


class BudgetSpent(NasArenaError):
    """Raised by `Ledger.reserve` for a trial that does not fit into what is left."""


class SearcherFailed(NasArenaError):
    """A searcher broke its contract; its own run ends as failed, the comparison goes on."""


class ProxyFailed(NasArenaError):
    """A proxy cannot score anything: no data, no device, no such file."""


class RunFolderRefused(NasArenaError):
    """A run folder that belongs to another configuration or cannot be read."""


class ReplayDiverged(NasArenaError):
    """A rebuilt searcher asked something else than the record says: it is not a pure function."""
