"""What a winner owes to its edits, on winners of which that is known."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from toy_code import EDITS, PLANTED, ToyProxy, planted_score

from nasarena.experiments.design.attribution import Attribution, attribute
from nasarena.experiments.design.edit_questions import ask_about_edits
from nasarena.experiments.design.winner import lines, write_attribution
from nasarena.search.errors import InvalidSetting
from nasarena.search.proxy import TrialSeed
from nasarena.search.trial import Cost, Outcome

# Three useful edits (depth, rate, tie) and three idle ones.
WINNER = "depth=6 rate=0.1 loss=focal gamma=1 tie=on clip=on"


def _attribute(
    winner: str = WINNER, noise: float = 0.02, seeds: int = 8, best: str = ""
) -> Attribution:
    proxy = ToyProxy(EDITS, planted_score, noise)

    def score(lists: Sequence[str], seeds: Sequence[int]) -> list[list[Outcome]]:
        return [proxy.evaluate([one] * len(seeds), [TrialSeed(s) for s in seeds], "held_out")
                for one in lists]  # fmt: skip

    return attribute(ask_about_edits(EDITS, winner, best), score, seeds)


def test_useful_edits_are_found_and_the_intervals_of_idle_ones_cover_zero() -> None:
    found = _attribute()
    whole, *single = found.effects
    assert whole.low < 0.6 < whole.high
    assert {e.question.edit for e in single} == set(EDITS.given(WINNER))
    for effect in single:
        true = PLANTED.get(effect.question.edit, 0.0)
        assert effect.low < true < effect.high
        assert effect.verdict == ("useful" if true else "not shown"), effect
    assert found.means["default"] == pytest.approx(0.0, abs=0.03)
    assert found.means[WINNER] == pytest.approx(0.6, abs=0.03)


def test_an_edit_comes_and_goes_with_what_it_needs() -> None:
    asked = {(q.way, q.edit): q for q in ask_about_edits(EDITS, WINNER).questions}
    out = asked["left out", "loss"]
    assert (out.worse, out.along) == ("depth=6 rate=0.1 tie=on clip=on", ("gamma",))
    alone = asked["added alone", "gamma"]
    assert (alone.better, alone.worse) == ("loss=focal gamma=1", "default")
    assert alone.along == ("loss",)
    assert asked["left out", "tie"].worse == "depth=6 rate=0.1 loss=focal gamma=1 clip=on"


def test_every_training_is_charged_to_its_own_account() -> None:
    found = _attribute(seeds=3)
    # The script, the winner, 6 lists without an edit, 5 with one alone, and `gamma` with `loss`.
    assert found.num_trainings == 14 * 3
    assert found.cost == Cost(420, 42, 42.0)


def test_an_effect_by_hand() -> None:
    scores = {"default": [0.0, 0.0, 0.0], "tie=on": [1.0, 2.0, 3.0]}

    def score(lists: Sequence[str], seeds: Sequence[int]) -> list[list[Outcome]]:
        return [[Outcome("ok", value, Cost()) for value in scores[one]] for one in lists]

    effect = attribute(ask_about_edits(EDITS, "tie=on"), score, 3).effects[0]
    # Three questions: the 99.17 % point of Student's t with 2 degrees is 7.6488; error 1/sqrt(3).
    assert effect.mean == pytest.approx(2.0)
    assert effect.high - effect.mean == pytest.approx(7.6488 / 3**0.5, rel=1e-4)


def test_seeds_that_failed_are_left_out_and_too_few_say_nothing() -> None:
    def score(lists: Sequence[str], seeds: Sequence[int]) -> list[list[Outcome]]:
        failed = Outcome("failed", None, Cost(), note="x")
        good = Outcome("ok", 1.0, Cost())
        return [[failed, good, good] if one != "default" else [good] * 3 for one in lists]

    effect = attribute(ask_about_edits(EDITS, "tie=on"), score, 3).effects[0]
    assert (effect.num_seeds, effect.verdict) == (2, "not shown")


def test_a_winner_without_edits_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="with edits"):
        _attribute("default")


def test_it_is_written_as_table_and_as_values(tmp_path: Path) -> None:
    found = _attribute()
    write_attribution(tmp_path, found)
    rows = (tmp_path / "attribution.csv").read_text().splitlines()
    assert len(rows) == 14
    assert rows[2].startswith("depth=6,left out,+0.")
    assert json.loads((tmp_path / "attribution.json").read_text())["winner"] == WINNER
    assert lines(found)[1][5] == "useful"
