"""What a proxy knows exactly, kept in the folder of a comparison: figures read folders alone.

`benchmark.json` holds the optimum, and of every pattern that was scored its true score, its rank in
the whole space and its real trainings; for PatternBench also how good the surrogate is. Each
`nasarena compare` writes it where it is missing or lacks a scored pattern, also when all runs were
done before: the command that did them may have been killed too early. What belongs to a pattern
never changes while the proxy's version does not, so a searcher that joins moves no number of
another.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nasarena.search.errors import NasArenaError
from nasarena.search.proxy import KnownProxy, Proxy
from nasarena.search.run_folder import RunRecord
from nasarena.search.untrusted.bounded_read import read_bounded
from nasarena.search.untrusted.drafts import replace_text

FILE = "benchmark.json"
VERSION = 1


def write_facts(
    folder: Path,
    proxy: Proxy,
    records: Sequence[RunRecord],
    num_trials: float,
    is_ranked: bool = True,
) -> None:
    """Write the file for all runs, the `records`, unless it says all that already.

    `num_trials` are those that a run's budget pays for. Ranks in the whole space are left out
    unless `is_ranked`: they take a pass over it. Nothing is written where the proxy knows no truth.
    """
    if not isinstance(proxy, KnownProxy):
        return
    patterns = find_scored_patterns(records)
    if _is_current(folder / FILE, proxy, patterns):
        return
    text = json.dumps(collect_facts(proxy, patterns, num_trials, is_ranked), separators=(",", ":"))
    try:
        replace_text(folder / FILE, text + "\n")
    except OSError as error:
        raise NasArenaError(f"cannot write to {folder}: {error.strerror}") from error


def _is_current(file: Path, proxy: KnownProxy, patterns: Sequence[str]) -> bool:
    """Whether the file is whole, of this proxy, and covers exactly these patterns."""
    try:
        facts = json.loads(read_bounded(file))
        about = facts["version"], facts["proxy"]["name"], facts["proxy"]["version"]
        covered = sorted(facts["scores"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    return about == (VERSION, proxy.name, proxy.version) and covered == list(patterns)


def collect_facts(
    proxy: KnownProxy, patterns: Sequence[str], num_trials: float, is_ranked: bool = True
) -> dict[str, Any]:
    """The content of the file; `patterns` are those that a figure may ask for."""
    pattern, score = proxy.optimum()
    ranks = proxy.ranks(patterns) if is_ranked else None
    has_record = proxy.num_trainings(pattern) is not None
    trainings = {one: proxy.num_trainings(one) for one in patterns}
    return {
        "version": VERSION,
        "proxy": {"name": proxy.name, "version": proxy.version},
        "size": proxy.space.size,
        "optimum": {"pattern": pattern, "score": score},
        "scores": {pattern: proxy.true_score(pattern) for pattern in patterns},
        "ranks": None if ranks is None else dict(zip(patterns, ranks, strict=True)),
        "trainings": {p: n for p, n in trainings.items() if n} if has_record else None,
        "surrogate": proxy.surrogate_facts(),
        "difficulty": proxy.difficulty(num_trials),
    }


def find_scored_patterns(records: Sequence[RunRecord]) -> list[str]:
    """Every pattern that any run scored, handed in or trained again, sorted."""
    found = {
        trial.pattern for record in records for trial in record.trials() if trial.score is not None
    }
    again = {event["pattern"] for record in records for event in record.of_kind("final")}
    named = {
        pattern
        for record in records
        for event in record.of_kind("chosen")
        for name in ("finalists", "best", "recommended")
        for pattern in event[name]
    }
    return sorted(found | again | named)
