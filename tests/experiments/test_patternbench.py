"""PatternBench: its sample, its rows, its surrogate and the proxy that answers from them."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

from nasarena.baselines.references import reference_patterns
from nasarena.experiments.execution.pool import News, Queue
from nasarena.experiments.patternbench.adaptive import adaptive_round, elite_round
from nasarena.experiments.patternbench.design import Design, Training, plan_trainings, seed_of
from nasarena.experiments.patternbench.row_log import RowLog
from nasarena.experiments.patternbench.train import settings_of, train
from nasarena.proxies.patternbench.rows import Row, read_rows
from nasarena.search.errors import InvalidSetting, ProxyFailed, RunFolderRefused
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

SPACE = PatternSpace("AMS", 16)
SMALL = Design(
    num_fill=6,
    num_test=2,
    num_test_slice=2,
    num_rounds=2,
    num_near=4,
    num_near_slice=2,
    num_again=3,
    num_elite=2,
    elite_seeds=3,
    reference_seeds=1,
    candidates=2,
)
SMALL_WORDS = [f"design.{name}={getattr(SMALL, name)}" for name in Design.__slots__]
TINY = [
    "space.depth=6",
    "proxy.train.steps=2",
    "proxy.train.warmup_steps=0",
    "proxy.train.num_eval=2",
    "proxy.train.batch_size=2",
    "proxy.model.width=8",
    "cache=false",
    "workers=1",
    "proxy.population=16",
]


def synthetic_row(training: Training, rng: np.random.Generator) -> Row:
    """A made-up training: A's are good, more so early on."""
    true = sum((16 - place) * (letter == "A") for place, letter in enumerate(training.pattern))
    score = 0.01 * true + 0.05 * rng.standard_normal()
    return Row(
        training.pattern, training.seed, training.role, training.round, score, -score, 0.5, 0.1
    )


def synthetic_rows(design: Design, num_rounds: int) -> list[Row]:
    rng = stream(0, "test rows")
    rows = [synthetic_row(one, rng) for one in plan_trainings(design, SPACE)]
    for number in range(1, num_rounds + 1):
        rows += [synthetic_row(one, rng) for one in adaptive_round(number, rows, design, SPACE)]
    return rows


def test_the_shipped_design_has_what_it_promises() -> None:
    design = Design()
    plan = plan_trainings(design, SPACE)
    trainings = Counter(one.pattern for one in plan)
    assert len({(one.pattern, one.seed) for one in plan}) == len(plan)
    references = {pattern for pattern, _ in reference_patterns(SPACE).values()}
    assert all(trainings[pattern] == 4 for pattern in references)
    test = {one.pattern for one in plan if one.role == "test"}
    assert len(test) == 550 and all(trainings[pattern] == 2 for pattern in test)
    new = design.num_rounds * (design.num_near + design.num_near_slice)
    again = design.num_rounds * (design.num_again - design.num_again // 6)
    assert len(trainings) + new >= 5000
    assert sum(count > 1 for count in trainings.values()) + again >= 1000
    assert max(Counter(one.seed for one in plan).values()) < 2 * len(plan) / 20


def test_every_prefix_of_the_plan_is_spread_and_has_its_share_of_test_patterns() -> None:
    plan = plan_trainings(Design(), SPACE)
    for length in (200, 800, 2000):
        part = plan[:length]
        share = sum(one.role == "test" for one in part) / length
        assert 0.2 < share < 0.45
        fill = [one.pattern for one in part if one.role == "fill"]
        assert 0.2 < np.mean([set(pattern) <= set("AM") for pattern in fill]) < 0.5
        for letter in "AMS":
            assert np.std([pattern.count(letter) for pattern in fill]) > 2.5  # uniform: 1.9


def test_best_candidates_are_farther_apart_than_plain_draws() -> None:
    def closest(candidates: int) -> float:
        design = Design(num_fill=300, num_test=1, num_test_slice=1, candidates=candidates)
        chosen = [one.pattern for one in plan_trainings(design, SPACE) if one.role == "fill"]
        return float(
            np.mean(
                [min(SPACE.hamming(p, q) for q in chosen[:i]) for i, p in enumerate(chosen) if i]
            )
        )

    assert closest(3) > closest(1) + 0.5


def test_a_round_looks_where_it_is_good_and_never_at_test_patterns() -> None:
    design = Design(num_fill=200, num_test=40, num_test_slice=10, num_rounds=3, num_near=60)
    rows = synthetic_rows(design, 3)
    means = [
        np.mean([row.pattern.count("A") for row in rows if row.round == number])
        for number in range(4)
    ]
    assert means[1] > means[0] + 2 and means[3] >= means[1]
    test = {row.pattern for row in rows if row.role == "test"}
    assert not any(row.pattern in test for row in rows if row.role != "test")
    assert len({(row.pattern, row.seed) for row in rows}) == len(rows)
    near = [row.pattern for row in rows if row.role == "near"]
    assert len(near) == len(set(near)) == 3 * (60 + design.num_near_slice)
    poisoned = [  # what test patterns score changes nothing
        Row(r.pattern, r.seed, r.role, r.round, 9.0, -9.0, 0.5, 0.1) if r.role == "test" else r
        for r in rows
    ]
    assert adaptive_round(3, poisoned, design, SPACE) == adaptive_round(3, rows, design, SPACE)


def test_a_round_depends_on_earlier_rows_alone_in_any_order() -> None:
    rows = synthetic_rows(SMALL, 2)
    earlier = [row for row in rows if row.round < 2]
    expected = adaptive_round(2, earlier, SMALL, SPACE)
    shuffled = [rows[i] for i in stream(0, "shuffle").permutation(len(rows))]
    assert adaptive_round(2, shuffled, SMALL, SPACE) == expected
    assert {(one.pattern, one.seed) for one in expected} == {
        (row.pattern, row.seed) for row in rows if row.round == 2
    }


def test_second_looks_go_to_other_seeds_of_the_best() -> None:
    rows = synthetic_rows(SMALL, 1)
    again = [row for row in rows if row.role == "again"]
    assert len(again) == 3
    for row in again:
        first = next(one for one in rows if one.pattern == row.pattern)
        assert first.seed == seed_of(row.pattern) != row.seed


def test_the_best_end_with_as_many_seeds_as_the_design_says() -> None:
    rows = synthetic_rows(SMALL, 2)
    last = elite_round(3, rows, SMALL, SPACE)
    assert {one.role for one in last} == {"again"} and {one.round for one in last} == {3}
    seeds: dict[str, list[int]] = {}
    for one in [*rows, *last]:
        seeds.setdefault(one.pattern, []).append(one.seed)
    elite = {one.pattern for one in last}
    assert len(elite) == 2
    assert all(len(seeds[p]) == len(set(seeds[p])) == 3 for p in elite)
    tests = {row.pattern for row in rows if row.role == "test"}
    assert not elite & tests and elite_round(3, rows[::-1], SMALL, SPACE) == last


class PoolHere:
    """A pool of this process, without the seconds that a new one takes to import torch."""

    def __init__(self, num_workers: int | None) -> None:
        self.num_workers = 1

    def run_tasks(self, queue: Queue) -> Generator[News, None, None]:
        while queue:
            number, task = queue.take()
            yield News(number, "done", task(lambda _: None))


def test_a_sample_goes_on_where_it_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real trainings, tiny: whole at once, and in three pieces with a torn line in between."""
    monkeypatch.setattr("nasarena.experiments.patternbench.train.LocalPool", PoolHere)
    whole = train([*TINY, *SMALL_WORDS, f"out={tmp_path / 'whole.csv'}"])
    pieces = tmp_path / "pieces.csv"
    for limit in ("limit=5", "limit=16"):
        train([*TINY, *SMALL_WORDS, f"out={pieces}", limit])
        with open(pieces, "a") as file:
            file.write("AMSA,3,near")
    train([*TINY, *SMALL_WORDS, f"out={pieces}"])
    header, rows = read_rows(pieces)
    assert header["proxy"] == "quick" and header["settings"]["train"]["steps"] == 2
    assert _scores(rows) == _scores(read_rows(whole)[1])
    assert len(rows) == len(_scores(rows))
    assert {row.round for row in rows} == {0, 1, 2, 3}
    before = pieces.read_bytes()
    train([*TINY, *SMALL_WORDS, f"out={pieces}"])  # nothing is missing: not a byte is written
    assert pieces.read_bytes() == before


def _scores(rows: list[Row]) -> dict[tuple[str, int], object]:
    return {(row.pattern, row.seed): (row.role, row.round, row.score, row.loss) for row in rows}


def test_a_kill_loses_only_what_was_in_training(tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    words = [*TINY, *SMALL_WORDS, "space.depth=12", "design.num_fill=300", f"out={out}"]
    command = [sys.executable, "-m", "nasarena.experiments.patternbench.train", *words]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 100
        while not (out.exists() and out.read_bytes().count(b"\n") > 2 + 16):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    _, rows = read_rows(out)
    assert len(rows) % 16 == 0 and len(rows) >= 16
    train([*words, "limit=16"])
    _, more = read_rows(out)
    assert more[: len(rows)] == rows and len(more) == len(rows) + 16
    assert len(_scores(more)) == len(more)


def test_rows_of_another_proxy_are_refused(tmp_path: Path) -> None:
    header = {"proxy": "quick", "version": "1", "design": {}}
    path = tmp_path / "rows.csv"
    row = Row("AM", 3, "fill", 0, -2.123456789012345, 2.123456789012345, None, 0.5, 'a, "b"\nc')
    with RowLog(path, header) as log:
        log.append([row])
        with pytest.raises(RunFolderRefused, match="another process"):
            RowLog(path, header)
    with RowLog(path, header) as log:
        assert log.rows == [Row("AM", 3, "fill", 0, row.score, row.loss, None, 0.5, "a; 'b' c")]
    with pytest.raises(RunFolderRefused, match="expected '2'"):
        RowLog(path, {**header, "version": "2"})
    with pytest.raises(ProxyFailed, match="make patternbench"):
        read_rows(tmp_path / "none.csv.xz")


def test_what_makes_a_proxy_another_one_is_kept_as_words() -> None:
    """A benchmark hands them to whoever trains its winners for real."""
    given = ["proxy.train.steps=600", "proxy.population=8", "design.num_fill=9", "workers=1"]
    assert settings_of(given).overrides == ["proxy.train.steps=600"]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("design.num_fil=3", "design has"),
        ("limit=-1", "whole number"),
        ("space.depth=4", "at most half"),
        ("proxy.train.stepz=3", "no setting is called"),
    ],
)
def test_a_misspelt_word_is_refused(word: str, reason: str) -> None:
    with pytest.raises(InvalidSetting, match=reason):
        settings = settings_of([word])
        plan_trainings(settings.design, settings.config.space)
