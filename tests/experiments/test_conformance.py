"""The conformance kit: each fault that it is there to find is planted, and found by name."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasarena.experiments.commands import conformance
from nasarena.experiments.commands.check import one_sided_p
from nasarena.experiments.commands.cli import main
from nasarena.experiments.commands.conformance import Kit
from nasarena.search.searcher import searcher, spec_of
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

History = Sequence[Trial]
Rng = np.random.Generator


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conformance, "_LONG_TRIALS", 60)
    monkeypatch.setattr(conformance, "_ASK_LIMIT_S", 0.5)


def faults(target: Callable[..., Any]) -> dict[str, str]:
    """Questions that a searcher answers badly, with the words."""
    kit = Kit(spec_of(target), {})
    return {finding.question: finding.words for finding in kit.findings() if not finding.passed}


def test_a_good_searcher_passes_everything() -> None:
    def fine(history: History, space: PatternSpace, rng: Rng) -> str:
        return space.sample(rng)

    assert faults(fine) == {}


def test_invalid_patterns_are_found() -> None:
    def short_ones(history: History, space: PatternSpace, rng: Rng) -> str:
        return space.sample(rng)[: 15 + len(history) % 2]

    assert "got 15" in faults(short_ones)["asks valid patterns"]


def test_a_global_generator_is_found() -> None:
    def moving(history: History, space: PatternSpace, rng: Rng) -> str:
        np.random.random()  # noqa: NPY002
        return space.sample(rng)

    found = faults(moving)
    assert found == {
        "no global randomness": "it uses the global generator of numpy.random; draw from rng alone"
    }


def test_reading_the_clock_is_found() -> None:
    import time

    def restless(history: History, space: PatternSpace, rng: Rng) -> str:
        return space.pattern(time.perf_counter_ns() % space.size)

    found = faults(restless)
    assert {"same seed, same asks", "goes on by replay", "no global randomness"} <= found.keys()


def test_a_seed_without_effect_is_found() -> None:
    def stubborn(history: History, space: PatternSpace, rng: Rng) -> str:
        return space.pattern(len(history))

    assert list(faults(stubborn)) == ["other seed, other asks"]


def test_a_score_that_is_taken_for_granted_is_found() -> None:
    def trusting(history: History, space: PatternSpace, rng: Rng) -> str:
        best = max(history, key=lambda trial: trial.score, default=None)  # type: ignore[arg-type, return-value]
        return space.mutate(best.pattern, rng) if best else space.sample(rng)

    assert "TypeError" in faults(trusting)["survives failed trials"]


def test_a_tell_in_another_order_is_found() -> None:
    class Ordered:
        def __init__(self, space: PatternSpace, rng: Rng) -> None:
            self.space, self.rng = space, rng
            self.pending: deque[str] = deque()

        def ask(self, n: int) -> list[str]:
            patterns = [self.space.sample(self.rng) for _ in range(n)]
            self.pending.extend(patterns)
            return patterns

        def tell(self, trials: Sequence[Trial]) -> None:
            for trial in trials:
                if self.pending and self.pending.popleft() != trial.pattern:
                    raise ValueError("not in my order")

    found = faults(Ordered)
    assert list(found) == ["takes tells in any order"] and "not in my order" in found.popitem()[1]


@pytest.mark.parametrize(
    ("body", "words"),
    [("raise KeyError('x')", "KeyError"), ("while True: pass", "no answer within 0.5 s")],
)
def test_a_searcher_that_cannot_run_gets_one_finding(body: str, words: str) -> None:
    scope: dict[str, Any] = {}
    exec(f"def broken(history, space, rng):\n    {body}", scope)
    found = faults(scope["broken"])
    assert list(found) == ["runs"] and words in found["runs"]


def test_a_searcher_that_stops_at_once_is_told() -> None:
    @searcher("mute")
    def mute(space: PatternSpace, rng: Rng) -> Generator[str, Trial, None]:
        yield from ()

    assert "asks at all" in faults(mute)


def test_p_is_one_sided_and_paired() -> None:
    random = [0.1 * k for k in range(10)]
    assert one_sided_p([x + 1 for x in random], random) < 0.01
    assert one_sided_p([x - 1 for x in random], random) > 0.99
    assert one_sided_p(random, random) == 1.0


def test_check_takes_twenty_lines_of_ones_own_and_draws_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.py").write_text(
        "from nasarena.search.searcher import searcher\n\n\n"
        "@searcher('climber')\n"
        "def climber(history, space, rng):\n"
        "    scored = [trial for trial in history if trial.score is not None]\n"
        "    if not scored:\n"
        "        return space.sample(rng)\n"
        "    best = max(scored, key=lambda trial: trial.score)\n"
        "    return space.mutate(best.pattern, rng)\n"
    )
    assert main(["check", "my.py:climber", "trials=60"]) == 0
    out = capsys.readouterr().out
    assert "10 of 10 passed" in out and "beats random search" in out
    (drawn,) = Path("runs").rglob("anytime.png")
    assert drawn.read_bytes().startswith(b"\x89PNG")
    assert main(["check", "random", "trials=20", "seeds=7"]) == 1
    out = capsys.readouterr().out
    assert "ok   spends its budget" in out and "FAIL beats random search" in out


def test_check_sees_runs_that_stop_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.py").write_text(
        "def tires(space, rng):\n    for _ in range(6):\n        yield space.sample(rng)\n"
    )
    assert main(["check", "my.py:tires", "trials=20", "seeds=7"]) == 1
    words = "7 of 7 runs stopped early (the searcher stopped asking), one with 50% of its budget"
    assert words in " ".join(capsys.readouterr().out.split())
