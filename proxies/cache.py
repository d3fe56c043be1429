"""The evaluation cache: a wrapped proxy that never trains the same thing twice.

An outcome is addressed by (proxy version, pattern, seed, split), for a partial training its
fidelity too, and the version hashes the proxy's configuration, data and code. It saves wall time,
never budget: a hit is charged what the training costs. SQLite in WAL mode, one short connection per
call, so that worker processes share a file and a `CachedProxy` can be copied into them.

A cache is a convenience: where its file is damaged, locked or the disk is full, evaluation goes
on without it and says so once, in one line of the log.
"""

import json
import logging
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from nasarena.search.candidates.protocol import identity
from nasarena.search.fidelity import ProxyWrapper, evaluate_at
from nasarena.search.machine import cache_folder
from nasarena.search.proxy import OUT_OF_MEMORY, Proxy, Split, TrialSeed
from nasarena.search.trial import Cost, Outcome

_LOG = logging.getLogger(__name__)
_WAIT_S = 30.0  # for another process that is writing; a write takes milliseconds

# The number is the layout of a row: a later one reads no earlier one's rows.
_CREATE = """CREATE TABLE IF NOT EXISTS outcomes_1 (
    version TEXT, pattern TEXT, run TEXT, replicate INTEGER, split TEXT, outcome TEXT NOT NULL,
    PRIMARY KEY (version, pattern, run, replicate, split)) WITHOUT ROWID"""
_FIND = """SELECT outcome FROM outcomes_1
    WHERE version = ? AND pattern = ? AND run = ? AND replicate = ? AND split = ?"""
_STORE = "INSERT OR IGNORE INTO outcomes_1 VALUES (?, ?, ?, ?, ?, ?)"

Key = tuple[str, str, str, int, str]


class CachedProxy(ProxyWrapper):
    """`proxy` with a memory at `path`, by default `evaluations.sqlite` among the caches.

    `hits` and `misses` count what this instance was asked.
    """

    def __init__(self, proxy: Proxy, path: Path | None = None) -> None:
        super().__init__(proxy)
        self.path = cache_folder() / "evaluations.sqlite" if path is None else Path(path)
        self.hits = self.misses = 0
        self._is_usable = True

    def evaluate(
        self,
        patterns: Sequence[str],
        seeds: Sequence[TrialSeed],
        split: Split = "search",
        fidelities: Sequence[float] | None = None,
    ) -> list[Outcome]:
        """Outcomes from the cache; all that it lacks are evaluated in one call, then stored.

        A hit has the score and metrics of the training; its `measured_s` is the time of reading.
        It costs what `cost` says now: seconds on record may be another machine's, or from before
        a calibration was made anew, and the loop has reserved those of here.
        """
        shares = [1.0] * len(patterns) if fidelities is None else fidelities
        asked = list(zip(patterns, seeds, shares, strict=True))
        keys = [self._key(pattern, seed, split, share) for pattern, seed, share in asked]
        found = self._load(keys)
        for key, (pattern, _, share) in zip(keys, asked, strict=True):
            if key in found:
                found[key] = replace(found[key], cost=self.cost(pattern, share))
        missing = {key: i for i, key in enumerate(keys) if key not in found}
        self.hits += len(keys) - len(missing)
        self.misses += len(missing)
        if missing:
            order = list(missing.values())
            outcomes = evaluate_at(
                self.proxy,
                [patterns[i] for i in order],
                [seeds[i] for i in order],
                [shares[i] for i in order],
                split,
            )
            new = dict(zip(missing, outcomes, strict=True))
            self._store(new)
            found |= new
        return [found[key] for key in keys]

    def _key(self, pattern: str, seed: TrialSeed, split: Split, fidelity: float) -> Key:
        data = split if fidelity == 1 else f"{split} at {fidelity!r}"
        name = identity(self.space, pattern)
        return (self.version, name, str(seed.run), seed.replicate, data)

    def _load(self, keys: Sequence[Key]) -> dict[Key, Outcome]:
        start = time.perf_counter()
        outcomes: dict[Key, Outcome] = {}
        if self._is_usable and keys:
            try:
                with closing(self._connect()) as connection:
                    for key in dict.fromkeys(keys):
                        for (text,) in connection.execute(_FIND, key):
                            outcomes[key] = _from_json(text)
            except (
                sqlite3.Error, OSError, ValueError, TypeError, KeyError, RecursionError
            ) as error:  # fmt: skip
                self._give_up(error)
        elapsed_s = (time.perf_counter() - start) / max(len(keys), 1)
        return {key: replace(outcome, measured_s=elapsed_s) for key, outcome in outcomes.items()}

    def _store(self, outcomes: dict[Key, Outcome]) -> None:
        if not self._is_usable:
            return
        rows = [
            (*key, json.dumps(asdict(outcome)))
            for key, outcome in outcomes.items()
            if not outcome.note.startswith(OUT_OF_MEMORY)
        ]
        try:
            with closing(self._connect()) as connection, connection:
                connection.executemany(_STORE, rows)
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + _WAIT_S
        while True:
            try:
                return _open(self.path)
            except sqlite3.OperationalError as error:
                # SQLite waits for locks by itself, except for that of the change to WAL, which
                # two processes that create the file at the same moment may meet.
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _give_up(self, error: Exception) -> None:
        self._is_usable = False
        _LOG.warning(
            "the evaluation cache %s cannot be used (%s); going on without it, every pattern is "
            "trained; remove the file or set NASARENA_CACHE to a folder that can be written",
            self.path,
            error,
        )


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_WAIT_S)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        # Durable enough: after a power cut the last outcomes may have to be trained again.
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(_CREATE)
    except BaseException:
        connection.close()
        raise
    return connection


def _from_json(text: str) -> Outcome:
    values: dict[str, Any] = json.loads(text)
    return Outcome(**(values | {"cost": Cost(**values["cost"])}))
