"""What a winning program owes to the hunks of its diff, on programs of which that is known."""

import ast
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from nasarena.experiments.design.attribution import Attribution, attribute
from nasarena.experiments.design.hunks import (
    MOST_HUNKS,
    apply_hunks,
    ask_about_hunks,
    split_into_hunks,
)
from nasarena.experiments.design.winner import lines, write_attribution
from nasarena.search.candidates.program_check import Interface
from nasarena.search.candidates.program_space import ProgramSpace
from nasarena.search.errors import InvalidPattern, InvalidSetting
from nasarena.search.trial import Cost, Outcome

SCRIPT = """\
RATE = 1
OTHER = 0
DECAY = 1  # a comment is no hunk


def build(x):
    width = 1
    x = x + 0
    depth = 1
    return x * width * depth


def train(x):
    heads = 1
    x = x + 0
    batch = 1
    return x * heads * batch
"""
# Three useful changes, worth 3, 2 and 1, and three idle ones.
CHANGES = {"RATE": 4, "width": 3, "heads": 2, "DECAY": 9, "depth": 7, "batch": 5}
USEFUL = ("RATE", "width", "heads")
# What every idle number that was changed adds on each of four seeds: nothing on average.
WOBBLE = (0.3, -0.3, 0.1, -0.1)
SPACE = ProgramSpace(
    "toy", Interface((("build", ("x",)), ("train", ("x",))), (), 4000, 900),
    (("given script", SCRIPT),),
)  # fmt: skip


def _change(names: Sequence[str]) -> str:
    text = SCRIPT.replace("  # a comment is no hunk", "")
    for name in names:
        text = text.replace(f"{name} = 1", f"{name} = {CHANGES[name]}")
    return text


def _numbers(source: str) -> dict[str, int]:
    """Every number of a program by the name that it is given to."""
    return {
        node.targets[0].id: node.value.value  # type: ignore[attr-defined, misc]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }


def _score(source: str, place: int) -> Outcome:
    numbers = _numbers(source)
    useful = sum(numbers[name] - 1 for name in USEFUL)
    idle = sum(numbers[name] != 1 for name in CHANGES if name not in USEFUL)
    return Outcome("ok", useful + idle * WOBBLE[place], Cost(device_seconds=1.0))


def _attribute(
    winner: str, outcome: Callable[[str, int], Outcome] = _score, best: str = ""
) -> tuple[Attribution, list[str]]:
    trained: list[str] = []

    def score(programs: Sequence[str], seeds: Sequence[int]) -> list[list[Outcome]]:
        trained.extend(programs)
        return [[outcome(one, place) for place in range(len(seeds))] for one in programs]

    return attribute(ask_about_hunks(SPACE, winner, best), score, 4), trained


def test_three_useful_hunks_are_found_and_the_intervals_of_three_idle_ones_cover_zero() -> None:
    found, trained = _attribute(_change(list(CHANGES)))
    whole, *single = found.effects
    # Differences 6.9, 5.1, 6.3, 5.7: mean 6, standard error sqrt(1.8 / 3 / 4) = 0.3873. There are
    # 13 questions: the 99.8077 % point of Student's t with 3 degrees is 8.1625.
    assert whole.mean == pytest.approx(6.0)
    assert whole.high - whole.mean == pytest.approx(8.1625 * 0.3873, rel=1e-3)
    names = {f"hunk {k}": name for k, name in enumerate(
        ["RATE", "DECAY", "width", "depth", "heads", "batch"], 1)}  # fmt: skip
    assert len(single) == 12
    for effect in single:
        name = names[effect.question.edit]
        if name in USEFUL:  # the idle ones are on both sides, or on none: every seed says the same
            worth = float(CHANGES[name] - 1)
            assert (effect.mean, effect.low) == pytest.approx((worth, worth)), effect
            assert effect.verdict == "useful"
        else:  # mean 0, standard error sqrt(0.2 / 3 / 4) = 0.1291
            assert effect.mean == pytest.approx(0.0)
            assert effect.high == pytest.approx(8.1625 * 0.1291, rel=1e-3)
            assert effect.verdict == "not shown"
    assert len(trained) == 2 + 12
    assert (found.num_trainings, found.cost) == (56, Cost(device_seconds=56.0))
    assert found.means == {"script": pytest.approx(0.0), "winner": pytest.approx(6.0)}
    assert found.parts["hunk 1"].splitlines()[1:] == ["-RATE = 1", "+RATE = 4"]


def test_every_choice_of_hunks_is_a_text_and_all_of_them_are_the_winner() -> None:
    winner = _change(["RATE", "depth"]).replace("    return x * heads * batch\n", "    return x\n")
    hunks = split_into_hunks(SCRIPT, winner)
    assert apply_hunks(SCRIPT, hunks) == winner
    assert apply_hunks(SCRIPT, []) == SCRIPT
    assert apply_hunks(SCRIPT, reversed(hunks[:1])).splitlines()[0] == "RATE = 4"


def test_words_alone_are_no_hunk() -> None:
    winner = _change(["RATE"]).replace(
        "def build(x):", 'def build(x):\n    """Words."""\n    # more'
    )
    asked = ask_about_hunks(SPACE, '"""Words of a module."""\n' + winner)
    assert list(asked.parts) == ["hunk 1"]
    assert SPACE.identity(asked.winner) == SPACE.identity(winner)


def test_a_hunk_that_others_lean_on_is_said_to_fail() -> None:
    winner = _change(["RATE"]).replace(
        "def train", "def double(x):\n    return 2 * x\n\n\ndef train"
    )
    winner = winner.replace("return x * heads * batch", "return double(x)")

    def run(source: str, place: int) -> Outcome:
        if "double(x)\n" in source and "def double" not in source:
            return Outcome("failed", None, Cost(), note="NameError: name 'double'")
        return Outcome("ok", 1.0, Cost())

    found, _ = _attribute(winner, run)
    verdicts = {(e.question.way, e.question.edit): e.verdict for e in found.effects}
    assert verdicts["left out", "hunk 2"] == "fails: NameError: name 'double'"
    assert verdicts["added alone", "hunk 3"] == "fails: NameError: name 'double'"
    assert verdicts["left out", "hunk 1"] == "not shown"
    assert found.num_trainings == 4 * (2 + 6)  # what fails is paid for


def test_what_is_no_program_is_said_and_not_trained() -> None:
    build, train = SCRIPT.index("def build"), SCRIPT.index("def train")
    moved = SCRIPT[:build] + SCRIPT[train:] + "\n\n" + SCRIPT[build:train]
    found, trained = _attribute(moved, lambda source, place: Outcome("ok", 1.0, Cost()))
    refused = [effect for effect in found.effects if effect.question.problem]
    assert {effect.question.way for effect in refused} == {"left out", "added alone"}
    for effect in refused:
        assert effect.verdict.startswith("cannot be taken alone: the program must define def ")
        assert effect.num_seeds == 0
    assert all(text in SPACE for text in trained)
    table = lines(found)
    assert [row[2:5] for row in table if "cannot" in row[5]] == [["", "", ""]] * len(refused)


def test_one_candidate_is_trained_once_whatever_it_is_called() -> None:
    winner = _change(["RATE"]).replace("depth", "layers")
    found, trained = _attribute(winner, lambda source, place: Outcome("ok", float(place), Cost()))
    # Each hunk that renames a local variable breaks the program or changes nothing.
    identities = [SPACE.identity(one) for one in trained]
    assert len(set(identities)) == len(identities)
    rate = next(e for e in found.effects if e.question.edit == "hunk 1")
    assert (rate.mean, rate.low, rate.high) == (0.0, 0.0, 0.0)


def test_too_many_hunks_are_joined_where_they_lie_closest() -> None:
    before = "".join(f"a{k} = 0\nb{k} = 0\nc{k} = 0\n" for k in range(MOST_HUNKS + 4))
    after = before
    for k in range(MOST_HUNKS + 4):
        after = after.replace(f"a{k} = 0\n", f"a{k} = 1\n")
    after = after.replace("c0 = 0", "c0 = 1")  # one line from a0 and right before a1
    hunks = split_into_hunks(before, after)
    assert len(hunks) == MOST_HUNKS
    assert apply_hunks(before, hunks) == after
    assert hunks[0].added[:4] == ("a0 = 1", "b0 = 0", "c0 = 1", "a1 = 1")


def test_the_share_of_the_known_improvement_by_hand() -> None:
    # 6.9 of 3, 5.1 of 3, ...: the winner doubles what the best known has without its idle hunks.
    found, _ = _attribute(_change(list(CHANGES)), best=_change(["RATE"]))
    assert found.share is not None
    # Below every ratio stands 3 exactly: 6 / 3, and Student's interval of the mean over 3.
    assert found.share.estimate == pytest.approx(2.0)
    assert found.share.high == pytest.approx(2 + 3.1824 * 0.3873 / 3, rel=1e-4)
    assert found.share.low == pytest.approx(2 - 3.1824 * 0.3873 / 3, rel=1e-4)


def test_a_winner_must_be_another_program_of_the_space() -> None:
    with pytest.raises(InvalidPattern, match="must define"):
        ask_about_hunks(SPACE, "x = 1\n")
    with pytest.raises(InvalidSetting, match="with edits"):
        _attribute(SCRIPT.replace("  # a comment is no hunk", ""))


def test_it_is_written_with_the_hunks_and_without_every_program(tmp_path: Path) -> None:
    found, _ = _attribute(_change(["RATE", "batch"]))
    write_attribution(tmp_path, found)
    rows = (tmp_path / "attribution.csv").read_text().splitlines()
    assert rows[2].startswith("hunk 1: +RATE = 4,left out,+3.0000,+3.0000,+3.0000,useful")
    kept = json.loads((tmp_path / "attribution.json").read_text())
    assert kept["parts"]["hunk 2"].endswith("-    batch = 1\n+    batch = 5")
    assert len(kept["effects"][0]["question"]["better"]) == 32
