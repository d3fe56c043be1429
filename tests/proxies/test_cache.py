"""The evaluation cache saves wall time, never budget, and never changes an outcome."""

import logging
import pickle
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nasarena.proxies.cache import CachedProxy
from nasarena.proxies.contract import check_proxy
from nasarena.proxies.landscape import Landscape
from nasarena.proxies.landscapes import additive, nk
from nasarena.search.errors import InvalidSetting
from nasarena.search.machine import cache_folder
from nasarena.search.proxy import OUT_OF_MEMORY, Proxy, Split, TrialSeed
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Outcome

SPACE = PatternSpace("AMS", 16)
PATTERNS = [SPACE.pattern(i * 1000) for i in range(8)]
SEEDS = [TrialSeed(0)] * 8


class Counting(Proxy):
    """A proxy that notes what it is asked to train, and takes 9 s for each by its own clock."""

    def __init__(self, proxy: Landscape) -> None:
        self._proxy = proxy
        self.name, self.space, self.version = proxy.name, proxy.space, proxy.version
        self.metric, self.direction = proxy.metric, proxy.direction
        self.score_range = proxy.score_range
        self.calls: list[list[str]] = []

    def cost(self, pattern: str) -> Cost:
        return self._proxy.cost(pattern)

    def evaluate(
        self, patterns: Sequence[str], seeds: Sequence[TrialSeed], split: Split = "search"
    ) -> list[Outcome]:
        self.calls.append(list(patterns))
        outcomes = self._proxy.evaluate(patterns, seeds, split)
        return [replace(outcome, measured_s=9.0) for outcome in outcomes]


@pytest.fixture
def counting() -> Counting:
    return Counting(additive(SPACE, failure_rate=0.4))


def drop_times(outcomes: list[Outcome]) -> list[Outcome]:
    return [replace(outcome, measured_s=0.0) for outcome in outcomes]


def test_a_hit_is_the_outcome_itself_at_its_full_cost(counting: Counting, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "cache.sqlite"
    first = CachedProxy(counting, path).evaluate(PATTERNS, SEEDS)
    again = CachedProxy(counting, path)
    second = again.evaluate(PATTERNS, SEEDS)
    assert len(counting.calls) == 1
    assert drop_times(second) == drop_times(first) == drop_times(counting.evaluate(PATTERNS, SEEDS))
    assert {outcome.status for outcome in second} == {"ok", "failed"}  # failures are kept too
    assert all(
        outcome.cost == counting.cost(p) for p, outcome in zip(PATTERNS, second, strict=True)
    )
    assert all(o.measured_s == 9.0 for o in first) and all(o.measured_s < 9.0 for o in second)
    assert (again.hits, again.misses) == (8, 0)


def test_a_hit_costs_what_a_training_costs_now(counting: Counting, tmp_path: Path) -> None:
    """The address knows no machine; a trial charged at another's seconds breaks the ledger."""
    path = tmp_path / "cache.sqlite"
    CachedProxy(counting, path).evaluate(PATTERNS, SEEDS)
    here = Cost(flops=7, tokens=3, device_seconds=0.5)
    counting.cost = lambda pattern: here  # type: ignore[method-assign]
    again = CachedProxy(counting, path)
    assert [outcome.cost for outcome in again.evaluate(PATTERNS, SEEDS)] == [here] * 8
    assert again.hits == 8


def test_only_misses_are_trained_in_one_call_and_in_order(
    counting: Counting, tmp_path: Path
) -> None:
    cached = CachedProxy(counting, tmp_path / "cache.sqlite")
    cached.evaluate(PATTERNS[2:4], SEEDS[:2])
    asked = [PATTERNS[5], PATTERNS[3], PATTERNS[0], PATTERNS[5], PATTERNS[2]]
    outcomes = cached.evaluate(asked, SEEDS[:5])
    assert counting.calls == [PATTERNS[2:4], [PATTERNS[5], PATTERNS[0]]]
    assert drop_times(outcomes) == drop_times(counting.evaluate(asked, SEEDS[:5]))


def test_seed_replicate_split_and_version_are_all_part_of_the_address(
    counting: Counting, tmp_path: Path
) -> None:
    cached = CachedProxy(counting, tmp_path / "cache.sqlite")
    cached.evaluate(PATTERNS[:1], [TrialSeed(0)])
    others: list[tuple[TrialSeed, Split]] = [
        (TrialSeed(1), "search"),
        (TrialSeed(0, 1), "search"),
        (TrialSeed(0), "held_out"),
        (TrialSeed(2**70), "search"),
    ]
    for seed, split in others:
        cached.evaluate(PATTERNS[:1], [seed], split)
    assert len(counting.calls) == 5
    for seed, split in others:
        cached.evaluate(PATTERNS[:1], [seed], split)
    assert len(counting.calls) == 5
    changed = Counting(additive(SPACE, noise=0.2))
    CachedProxy(changed, tmp_path / "cache.sqlite").evaluate(PATTERNS[:1], [TrialSeed(0)])
    assert changed.calls == [PATTERNS[:1]]


def test_what_did_not_fit_into_memory_is_tried_again_and_other_failures_are_kept(
    counting: Counting, tmp_path: Path
) -> None:
    """Memory is the machine's of that moment; a loss that became nan is the pattern's own."""
    evaluate = counting.evaluate

    def fail(note: str) -> Callable[..., list[Outcome]]:
        def answer(*asked: Any) -> list[Outcome]:
            return [replace(o, status="failed", score=None, note=note) for o in evaluate(*asked)]

        return answer

    path, pair = tmp_path / "cache.sqlite", PATTERNS[:2]
    counting.evaluate = fail(f"{OUT_OF_MEMORY}: 9 GiB")  # type: ignore[method-assign]
    cached = CachedProxy(counting, path)
    assert [outcome.status for outcome in cached.evaluate(pair, SEEDS[:2])] == ["failed"] * 2
    counting.evaluate = evaluate  # type: ignore[method-assign]
    assert drop_times(cached.evaluate(pair, SEEDS[:2])) == drop_times(evaluate(pair, SEEDS[:2]))
    assert cached.misses == 4

    counting.evaluate = fail("loss became nan at step 3")  # type: ignore[method-assign]
    first = cached.evaluate(PATTERNS[2:], SEEDS[2:])
    counting.evaluate = evaluate  # type: ignore[method-assign]
    again = CachedProxy(counting, path)
    assert drop_times(again.evaluate(PATTERNS[2:], SEEDS[2:])) == drop_times(first)
    assert again.hits == 6


def test_several_processes_share_one_file(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from nasarena.proxies.cache import CachedProxy
from nasarena.proxies.landscapes import additive
from nasarena.search.proxy import TrialSeed
from nasarena.search.space import PatternSpace

space = PatternSpace("AMS", 16)
cached = CachedProxy(additive(space), Path(sys.argv[1]))
for i in range(int(sys.argv[2]), 160, 2):
    cached.evaluate([space.pattern(i // 2)], [TrialSeed(0)])
    cached.evaluate([space.pattern(1000 + i)], [TrialSeed(0)])
assert cached._is_usable
"""
    path = tmp_path / "cache.sqlite"
    workers = [
        subprocess.Popen([sys.executable, "-c", code, str(path), str(k)], stderr=subprocess.PIPE)
        for k in (0, 1)
    ]
    for worker in workers:
        assert worker.communicate()[1] == b"" and worker.returncode == 0
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM outcomes_1").fetchone() == (80 + 160,)
    reader = CachedProxy(additive(SPACE), path)
    outcomes = reader.evaluate([SPACE.pattern(i) for i in range(80)], [TrialSeed(0)] * 80)
    assert reader.hits == 80
    expected = additive(SPACE).evaluate([SPACE.pattern(i) for i in range(80)], [TrialSeed(0)] * 80)
    assert drop_times(outcomes) == drop_times(expected)


@pytest.mark.parametrize("damage", ["no database", "torn", "a folder", "a file for a folder"])
def test_a_cache_that_cannot_be_used_is_said_once_and_done_without(
    damage: str, counting: Counting, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "cache.sqlite"
    if damage == "no database":
        path.write_bytes(b"this is no database, not at all" * 100)
    elif damage == "torn":
        CachedProxy(counting, path).evaluate(PATTERNS, SEEDS)
        whole = path.read_bytes()
        path.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))
    elif damage == "a folder":
        path.mkdir()
    else:
        path.write_text("")
        path = path / "cache.sqlite"
    counting.calls.clear()
    cached = CachedProxy(counting, path)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            outcomes = cached.evaluate(PATTERNS, SEEDS)
            assert drop_times(outcomes) == drop_times(
                additive(SPACE, failure_rate=0.4).evaluate(PATTERNS, SEEDS)
            )
    assert len(counting.calls) == 2
    [message] = [record.getMessage() for record in caplog.records]
    assert str(path) in message and "going on without it" in message and "\n" not in message


def test_a_full_disk_is_done_without(
    counting: Counting,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """SQLite's own answer to a full disk, brought about by a limit on the number of pages."""
    cached = CachedProxy(counting, tmp_path / "cache.sqlite")
    connect = CachedProxy._connect

    def connect_with_little_room(self: CachedProxy) -> sqlite3.Connection:
        connection = connect(self)
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    monkeypatch.setattr(CachedProxy, "_connect", connect_with_little_room)
    many = [SPACE.pattern(i) for i in range(500)]
    with caplog.at_level(logging.WARNING):
        outcomes = cached.evaluate(many, [TrialSeed(0)] * 500)
    assert len(outcomes) == 500
    assert "database or disk is full" in caplog.text


def test_a_copy_in_another_process_works(counting: Counting, tmp_path: Path) -> None:
    cached = CachedProxy(additive(SPACE), tmp_path / "cache.sqlite")
    before = cached.evaluate(PATTERNS, SEEDS)
    copy: CachedProxy = pickle.loads(pickle.dumps(cached))
    assert drop_times(copy.evaluate(PATTERNS, SEEDS)) == drop_times(before)
    assert copy.hits == 8


def test_the_default_file_is_where_the_environment_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "caches"))
    CachedProxy(additive(SPACE)).evaluate(PATTERNS, SEEDS)
    assert (tmp_path / "caches" / "evaluations.sqlite").exists()


@pytest.mark.parametrize("make", [additive, nk])
def test_a_cached_proxy_keeps_the_contract(make: Callable[..., Proxy], tmp_path: Path) -> None:
    cached = CachedProxy(make(SPACE, failure_rate=0.2), tmp_path / "cache.sqlite")
    check_proxy(cached)
    assert cached.hits > 0


def test_who_has_no_home_has_caches_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A user without a name, as containers have them: `docker run --user 54321`."""

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("NASARENA_CACHE", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = cache_folder()
    assert folder.parent == tmp_path and folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    with pytest.raises(InvalidSetting, match="must be yours alone"):
        cache_folder()
