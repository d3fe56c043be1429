"""What a searcher itself would choose at the end: recorded, trained again, and never ranked."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes import FakeProxy, agreement, cut_copy, run_search
from nasarena.experiments.comparison.permuted import Permutation, PermutedLetters
from nasarena.figures.results.rows import final_rows, totals, trial_rows
from nasarena.search.errors import SearcherFailed
from nasarena.search.run_folder import drop_measurements, read_run
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

SPACE = PatternSpace("AMS", 6)
HIDDEN = "AMSAMS"


class Recommending:
    """Random search that would choose what `answer` returns."""

    answer: Callable[[int], Any] = staticmethod(lambda k: [HIDDEN, "SSSAAA", HIDDEN][:k])

    def __init__(self, space: PatternSpace, rng: np.random.Generator) -> None:
        self._space, self._rng = space, rng

    def ask(self, n: int) -> list[str]:
        return [self._space.sample(self._rng) for _ in range(n)]

    def tell(self, trials: Sequence[Trial]) -> None:
        pass

    def recommend(self, k: int) -> Any:
        return self.answer(k)


def answering(answer: Callable[[int], Any]) -> type[Recommending]:
    return type("Answering", (Recommending,), {"answer": staticmethod(answer)})


def run(folder: Path, target: Any = Recommending, finalists: int = 3) -> list[Trial]:
    proxy = FakeProxy(SPACE, agreement(HIDDEN, noise=0.05))
    config = {"searcher": {"name": "recommending", "options": {}}}
    return run_search(
        folder,
        target,
        proxy,
        amount=12,
        config=config,
        initial_design=4,
        finalists=finalists,
        final_replicates=2,
    )


def test_it_is_recorded_and_trained_again_beside_the_finalists(tmp_path: Path) -> None:
    trials = run(tmp_path / "run")
    record = read_run(tmp_path / "run")
    (recommended,) = record.of_kind("recommended")
    assert recommended["patterns"] == [HIDDEN, "SSSAAA"]  # each once
    (chosen,) = record.of_kind("chosen")
    ranked = sorted(trials, key=lambda trial: -(trial.score or 0))
    finalists = list(dict.fromkeys(trial.pattern for trial in ranked))[:3]
    assert chosen["finalists"] == finalists and chosen["best"] == finalists[:1]
    assert chosen["recommended"] == [HIDDEN, "SSSAAA"]
    finals = final_rows(record)
    patterns = dict.fromkeys([*finalists, HIDDEN, "SSSAAA"])
    assert [row["pattern"] for row in finals] == [p for p in patterns for _ in range(2)]


def test_the_final_score_is_that_of_the_finalists_alone(tmp_path: Path) -> None:
    run(tmp_path / "run")
    run(tmp_path / "plain", answering(lambda k: []))
    whole, plain = (
        totals(record, trial_rows(record), final_rows(record))
        for record in (read_run(tmp_path / name) for name in ("run", "plain"))
    )
    assert whole["final"] == plain["final"] and whole["num_finals"] == plain["num_finals"] == 6
    assert whole["final_of_best"] == plain["final_of_best"] != whole["final"]
    rows = [r for r in final_rows(read_run(tmp_path / "run")) if r["pattern"] in (HIDDEN, "SSSAAA")]
    assert whole["final_of_recommended"] == pytest.approx(np.mean([row["score"] for row in rows]))
    assert np.isnan(plain["final_of_recommended"])


def test_a_run_cut_off_anywhere_ends_the_same(tmp_path: Path) -> None:
    run(tmp_path / "whole")
    expected = drop_measurements(read_run(tmp_path / "whole").events)
    for kept in range(len(expected)):
        folder = cut_copy(tmp_path / "whole", tmp_path / f"cut-{kept}", kept)
        run(folder)
        assert drop_measurements(read_run(folder).events) == expected


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda k: "AMSAMS", "recommend must return a list of patterns, got str"),
        (lambda k: None, "recommend must return a list of patterns, got NoneType"),
        (lambda k: ["A" * 6] * (k + 1), "recommend was asked for at most 3 patterns, got 4"),
        (lambda k: ["AMX"], "recommend raised InvalidPattern"),
        (lambda k: [7], "recommend raised InvalidPattern"),
        (lambda k: 1 / 0, "recommend raised ZeroDivisionError"),
    ],
)
def test_nonsense_is_the_searchers_failure_and_loses_nothing(
    answer: Callable[[int], Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(SearcherFailed) as caught:
        run(tmp_path / "run", answering(answer))
    assert words in str(caught.value) and "\n" not in str(caught.value)
    record = read_run(tmp_path / "run")
    assert record.state == "failed" and len(record.trials()) >= 12
    run(tmp_path / "run")  # mended, the same run goes on
    assert read_run(tmp_path / "run").state == "finished"
    assert "NaN" not in json.dumps(read_run(tmp_path / "run").events)


def test_nobody_is_asked_where_nothing_is_trained_again(tmp_path: Path) -> None:
    run(tmp_path / "run", answering(lambda k: 1 / 0), finalists=0)
    assert read_run(tmp_path / "run").state == "finished"


def test_behind_permuted_letters_it_comes_out_in_true_ones() -> None:
    rng = np.random.default_rng(0)
    permutation = Permutation.of_seed("AMS", 1)
    hidden = PermutedLetters(Recommending(SPACE, rng), permutation)
    assert hidden.recommend is not None
    assert hidden.recommend(1) == [permutation.reveal(HIDDEN)] != [HIDDEN]

    class Plain:
        ask, tell = Recommending.ask, Recommending.tell

    assert PermutedLetters(Plain(), permutation).recommend is None  # type: ignore[arg-type]
