"""Lists of edits as candidates: one canonical form, and every move stays in the space."""

import numpy as np
import pytest
from toy_code import EDITS

from nasarena.search.candidates.edit import Edit
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.errors import InvalidPattern, InvalidSetting


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("default", "default"),
        ("rate=0.020 depth=6", "depth=6 rate=0.02"),
        ("depth=4", "default"),
        ("rate=2e-1", "rate=0.2"),
        ("rate=0.123456", "rate=0.123"),
        ("gamma=1.5 loss=focal", "loss=focal gamma=1.5"),
        ("head=zero tie=on", "tie=on"),
    ],
)
def test_one_candidate_has_one_form(given: str, canonical: str) -> None:
    assert EDITS.validate(given) == canonical
    assert canonical in EDITS
    assert EDITS.identity(given) == canonical
    assert EDITS.distance(given, canonical) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "got NoneType"),
        ("", "name=value"),
        ("depth=6  rate=0.1", "name=value"),
        ("depht=6", "nearest: depth"),
        ("depth=9", "an integer from 1 to 8, got '9'"),
        ("depth=6.0", "an integer"),
        ("depth=٣", "an integer"),
        ("rate=nan", "a number from 0.0001 to 1"),
        ("rate=1_0e-3", "a number"),
        ("loss=mse", "one of cross_entropy, focal"),
        ("depth=5 depth=6", "given twice"),
        ("gamma=1", "gamma requires loss=focal"),
        ("tie=on head=normal", "head excludes tie"),
        ("depth=5 " * 600, "at most 4000 characters"),
    ],
)
def test_what_is_no_list_of_edits_is_refused_in_a_line(text: object, said: str) -> None:
    with pytest.raises(InvalidPattern, match=said):
        EDITS.validate(text)
    assert text not in EDITS


def test_repair_drops_what_clashes() -> None:
    assert EDITS.repair({"gamma": "1", "depth": "5"}) == "depth=5"
    assert EDITS.repair({"tie": "on", "head": "normal"}) == "tie=on"
    assert EDITS.repair({"gamma": "1", "loss": "focal"}) == "loss=focal gamma=1"


def test_the_toy_catalogue_by_hand() -> None:
    assert list(EDITS.neighbours("default")) == [
        "depth=3", "depth=5", "rate=0.00667", "rate=0.015", "loss=focal", "tie=on", "head=normal",
        "clip=on",
    ]  # fmt: skip
    assert EDITS.difference("default", "depth=6 tie=on") == "depth: 4 -> 6, tie: off -> on"
    # Depth has 8 values, so two of them are 2/8 apart; a choice is 1.
    assert EDITS.distance("default", "depth=6 loss=focal") == pytest.approx(1.25)


def test_values_and_units_are_inverses() -> None:
    rng = np.random.default_rng(1)
    for edit in EDITS.edits:
        for _ in range(200):
            value = edit.sample(rng)
            assert edit.parse(value) == value
            assert edit.from_unit(edit.to_unit(value)) == value
        assert {edit.from_unit(0.0), edit.from_unit(1.0)} <= set(edit.values) or edit.is_ordered


def test_every_sample_and_move_is_a_candidate() -> None:
    rng = np.random.default_rng(2)
    before = EDITS.sample_distinct(30, rng)
    assert before[0] == "default"
    assert len(set(before)) == 30
    for one, other in zip(before, before[1:], strict=False):
        made = [EDITS.mutate(one, rng, 2), EDITS.crossover(one, other, rng)]
        assert all(child in EDITS for child in [*made, *EDITS.neighbours(one)])
        assert EDITS.mutate(one, rng) != one


def test_a_catalogue_that_contradicts_itself_is_refused() -> None:
    edit = Edit("a", "switch", "off", "")
    with pytest.raises(InvalidSetting, match="every edit once"):
        EditSpace("toy", (edit, edit))
    with pytest.raises(InvalidSetting, match="every edit once"):
        EditSpace("toy", (Edit("a", "switch", "off", "", excludes=("b",)),))
    with pytest.raises(InvalidPattern, match="nearest: a"):
        EditSpace("toy", (edit,), (("wrong", "aa=on"),))


def test_a_space_describes_its_whole_catalogue() -> None:
    other = EditSpace("toy", (*EDITS.edits[:-1], Edit("clip", "switch", "off", "other")))
    assert EDITS.describe()["edits"] == other.describe()["edits"]
    assert EDITS.describe()["catalogue"] != other.describe()["catalogue"]
