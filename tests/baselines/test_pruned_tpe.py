"""TPE with Optuna's pruners: rungs, charges, promotions, and that partial scores stay apart."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from fakes import run_search
from nasarena.baselines.libraries.pruned_tpe import PrunedTPE
from nasarena.experiments.settings.registry import load_searcher
from nasarena.proxies.landscape import Landscape
from nasarena.proxies.landscapes import additive
from nasarena.search.errors import InvalidSetting
from nasarena.search.proxy import mean_cost
from nasarena.search.retraining import best_patterns
from nasarena.search.run_folder import drop_measurements, read_run
from nasarena.search.searcher import build_searcher
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Proposal, Trial

SPACE, DEEP = PatternSpace("AMS", 6), PatternSpace("AMS", 16)
NINTH, THIRD = 1 / 9, 1 / 3
PRUNERS = ("halving", "hyperband", "median")


def make_searcher(space: PatternSpace = DEEP, **options: Any) -> PrunedTPE:
    return PrunedTPE(space, stream(0, "searcher"), **options)


def run(
    path: Path, name: str, proxy: Landscape, amount: float, seed: int = 0, **options: Any
) -> list[Trial]:
    loop: dict[str, Any] = {"initial_design": 2, "finalists": 0}
    return run_search(
        path, name, proxy, amount=amount, unit="flops", seed=seed, options=options, **loop
    )


def ask_and_tell(searcher: PrunedTPE, scores: Sequence[float | None]) -> list[Proposal]:
    """Ask and tell one at a time; a score of None is a failed training."""
    found = []
    for index, score in enumerate(scores):
        (proposal,) = searcher.ask(1)
        status = "failed" if score is None else "ok"
        found.append(proposal)
        trial = Trial(index, proposal.pattern, status, score, fidelity=proposal.fidelity)  # type: ignore[arg-type]
        searcher.tell([trial])
    return found


def test_the_first_goes_all_the_way_and_later_ones_must_be_among_the_best_third() -> None:
    """Worked by hand: asynchronous successive halving, reduction 3, rungs 1/9, 1/3 and 1."""
    scores = [0.1, 0.2, 0.3, 0.0, -1.0, 0.5, 0.1, 0.9]
    found = ask_and_tell(make_searcher(), scores)
    fidelities = [proposal.fidelity for proposal in found]
    # The first has nobody to beat. Fourth and fifth: below the best third of their rung. The sixth
    # is the best of four at 1/9 and goes on, but is second of two at 1/3: cut there.
    assert fidelities == pytest.approx([NINTH, THIRD, 1, NINTH, NINTH, NINTH, THIRD, NINTH])
    first, sixth = found[0].pattern, found[5].pattern
    assert [p.pattern for p in found[:3]] == [first] * 3 and found[6].pattern == sixth
    assert found[3].pattern != first


def test_a_failed_training_is_no_score_and_goes_nowhere() -> None:
    searcher = make_searcher()
    found = ask_and_tell(searcher, [None, 0.1, None])
    assert [p.fidelity for p in found] == pytest.approx([NINTH, NINTH, THIRD])
    states = [trial.state.name for trial in searcher._study.get_trials()]
    assert states == ["FAIL", "FAIL"]


def test_a_partial_score_is_never_a_value_of_the_model() -> None:
    searcher = make_searcher()
    ask_and_tell(searcher, [0.1, 0.2, 0.3, 0.0])
    kept, pruned = searcher._study.get_trials()
    assert (kept.state.name, kept.value) == ("COMPLETE", 0.3)
    assert kept.intermediate_values == {1: 0.1, 3: 0.2, 9: 0.3}
    assert (pruned.state.name, pruned.intermediate_values) == ("PRUNED", {1: 0.0})


def test_others_trials_enter_the_model_in_full_only() -> None:
    searcher = make_searcher(SPACE)
    searcher.tell(
        [
            Trial(0, "AMSAMS", "ok", 1.0),
            Trial(1, "AAAAAA", "ok", 9.0, fidelity=NINTH),
            Trial(2, "MMMMMM", "failed"),
            Trial(3, "no pattern", "invalid"),
        ]
    )
    values = [trial.value for trial in searcher._study.get_trials()]
    assert values == [1.0, None]


def test_a_duplicate_trained_further_counts_where_it_got_to() -> None:
    searcher = make_searcher()
    (proposal,) = searcher.ask(1)
    searcher.tell([Trial(7, proposal.pattern, "duplicate", 0.4, duplicate_of=0)])  # in full
    (trial,) = searcher._study.get_trials()
    assert trial.value == 0.4 and trial.state.name == "COMPLETE"


def test_batches_take_those_that_go_on_first() -> None:
    searcher = make_searcher()
    batch = searcher.ask(4)
    assert {p.fidelity for p in batch} == {NINTH} and len({p.pattern for p in batch}) == 4
    searcher.tell(
        [Trial(i, p.pattern, "ok", -float(i), fidelity=NINTH) for i, p in enumerate(batch)]
    )
    nexts = searcher.ask(2)
    assert (nexts[0].pattern, nexts[0].fidelity) == (batch[0].pattern, pytest.approx(THIRD))
    assert nexts[1].fidelity == pytest.approx(NINTH)


@pytest.mark.parametrize("pruner", PRUNERS)
def test_every_pruner_cuts_some_and_trains_some_in_full(tmp_path: Path, pruner: str) -> None:
    proxy = additive(DEEP, failure_rate=0.1)
    amount = 20 * mean_cost(proxy).flops
    trials = run(tmp_path / "a", "tpe-pruned", proxy, amount, pruner=pruner, num_startup=4)
    own = trials[2:]
    reached: dict[str, float] = {}
    for trial in own:
        reached[trial.pattern] = max(trial.fidelity, reached.get(trial.pattern, 0.0))
    ends = list(reached.values())
    assert 0 < sum(end == 1 for end in ends) < len(ends)
    assert 0.85 * amount < sum(trial.cost.flops for trial in trials) <= amount
    again = run(tmp_path / "b", "tpe-pruned", proxy, amount, pruner=pruner, num_startup=4)
    assert again == trials or [t.pattern for t in again] == [t.pattern for t in trials]


@pytest.mark.parametrize("pruner", ["halving", "hyperband"])
def test_resume_is_replay(tmp_path: Path, pruner: str) -> None:
    """Optuna's Hyperband draws brackets by the name of the study: it must not be random."""
    proxy = additive(SPACE, failure_rate=0.1)
    amount = 8 * mean_cost(proxy).flops
    run(tmp_path, "tpe-pruned", proxy, amount, pruner=pruner, num_startup=3)
    whole = read_run(tmp_path).events
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines(keepends=True)
    for share in (3, 5):
        (tmp_path / "events.jsonl").write_bytes(b"".join(lines[: len(lines) * share // 6]))
        run(tmp_path, "tpe-pruned", proxy, amount, pruner=pruner, num_startup=3)
        assert drop_measurements(read_run(tmp_path).events) == drop_measurements(whole)


def test_it_beats_random_at_equal_cost(tmp_path: Path) -> None:
    saved = []
    for seed in range(10):
        proxy = additive(DEEP, landscape_seed=seed)
        amount = 30 * mean_cost(proxy).flops
        regrets = [
            proxy.regret(
                best_patterns(run(tmp_path / f"{name}{seed}", name, proxy, amount, seed), 1)[0]
            )
            for name in ("random", "tpe-pruned")
        ]
        saved.append(regrets[0] - regrets[1])
    assert np.mean(saved) > 0 and np.sum(np.array(saved) > 0) >= 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pruner": "none"}, "pruner must be one of halving, hyperband, median, got 'none'"),
        ({"reduction": 1}, "^tpe-pruned.options.reduction must be at least 2, got 1$"),
        ({"num_rungs": 0}, "^tpe-pruned.options.num_rungs must be at least 1, got 0$"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        build_searcher(load_searcher("tpe-pruned"), DEEP, stream(0, "searcher"), options)


def test_one_rung_is_plain_tpe() -> None:
    """Without a lower fidelity there is nothing to cut: the asks are those of `tpe`."""
    plain = build_searcher(load_searcher("tpe"), SPACE, stream(0, "searcher"), {"num_startup": 3})
    pruned = make_searcher(SPACE, num_rungs=1, num_startup=3)
    for index in range(8):
        (first,), (second,) = plain.ask(1), pruned.ask(1)
        assert isinstance(first, str) and (first, 1.0) == (second.pattern, second.fidelity)
        trial = Trial(index, first, "ok", float(first.count("A")))
        plain.tell([trial])
        pruned.tell([trial])
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING
