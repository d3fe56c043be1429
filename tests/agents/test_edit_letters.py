"""Lists of edits as letters: what the embedded agent reads of a catalogue, and what it writes."""

import numpy as np
import pytest

from nasarena.agents.context.controls import disguise_view
from nasarena.agents.context.edit_letters import LETTERS, EditLetters, values_by_letter
from nasarena.agents.context.view import Section, View
from nasarena.proxies.autoresearch.catalogue import edit_space
from nasarena.proxies.lra import catalogue as lra
from nasarena.search.candidates.edit import Edit
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.errors import InvalidSetting
from nasarena.search.trial import Cost, Trial

SPACE = EditSpace(
    "toy",
    (
        Edit("norm", "choice", "rms", "", choices=("layer", "rms", "none")),
        Edit("skip", "switch", "off", ""),
        Edit("depth", "int", "2", "", low=1, high=8),
        Edit("rate", "log", "0.1", "", low=0.01, high=1, requires=(("norm", ("layer",)),)),
    ),
)
SPACES = [
    edit_space(),
    *(lra.edit_space("lra-text", variant, "cpu") for variant in ("fixed", "configurable")),
]


def test_values_of_each_kind_the_default_first() -> None:
    norm, skip, depth, rate = map(values_by_letter, SPACE.edits)
    assert norm == ("rms", "layer", "none")
    assert skip == ("off", "on")
    # Of 1 to 8 the spread takes 1, 3, 5, 6, 8; 1 and 3 are as near to the default, and 3 goes.
    assert depth == ("2", "1", "5", "6", "8")
    assert rate == ("0.1", "0.0158", "0.0398", "0.251", "0.631")


def test_a_list_is_shown_and_read_back_and_a_number_as_its_nearest() -> None:
    letters = EditLetters.draw(SPACE)
    assert letters.show("default") == "AAAA"
    assert letters.reveal("AAAA") == "default"
    assert letters.show("norm=layer skip=on rate=0.6") == "BBAE"
    assert letters.reveal("BBAE") == "norm=layer skip=on rate=0.631"
    assert letters.reveal("AAAE") == "default"  # a rate means nothing without its norm


def test_what_the_model_says_is_told_in_the_names_of_edits() -> None:
    letters = EditLetters.draw(SPACE)
    assert letters.explain("set 2B 4E by +5%") == "set skip=on rate=0.631 by +5%"
    assert letters.explain("set 1A 2D 9B 0B") == "set norm=rms skip=on 9B 0B"  # D is B of a switch
    turned = EditLetters.draw(SPACE, np.random.default_rng(3))
    first = SPACE.edits[turned.order[0]]
    assert turned.explain("set 1A") == f"set {first.name}={first.default}"


def test_a_letter_without_a_value_stands_for_another_change() -> None:
    letters = EditLetters.draw(SPACE)
    assert {letters.reveal(f"A{letter}AA") for letter in "BCDE"} == {"skip=on"}
    assert letters.reveal("DAAA") == letters.reveal("BAAA") == "norm=layer"


@pytest.mark.parametrize("space", SPACES, ids=lambda space: f"{space.task}, {len(space.edits)}")
def test_catalogues_that_ship_can_be_read_and_written(space: EditSpace) -> None:
    rng = np.random.default_rng(0)
    for seed in (None, 1):
        letters = EditLetters.draw(space, None if seed is None else np.random.default_rng(seed))
        for _ in range(200):
            pattern = letters.space.sample(rng)
            candidate = letters.reveal(pattern)
            assert space.validate(candidate) == candidate
            assert letters.reveal(letters.show(candidate)) == candidate
            shown = letters.show(space.sample(rng))
            assert shown in letters.space


def test_a_random_order_is_one_of_the_same_edits() -> None:
    space = SPACES[0]
    drawn = EditLetters.draw(space, np.random.default_rng(3))
    assert sorted(drawn.order) == list(range(len(space.edits))) != list(drawn.order)
    assert drawn.reveal(drawn.show("depth=1 clip=1")) == "depth=1 clip=1"


def test_a_view_shows_patterns_with_their_scores() -> None:
    trial = Trial(0, "skip=on depth=8", "ok", 0.5, Cost(1, 1, 1.0), "random")
    view = View(SPACE, sections=(Section("all", (trial,)),))
    shown = disguise_view(view, EditLetters.draw(SPACE))
    assert shown.space.depth == 4 and shown.space.alphabet == LETTERS
    assert [(one.pattern, one.score) for one in shown.trials] == [("ABEA", 0.5)]


def test_a_choice_has_at_most_as_many_values_as_there_are_letters() -> None:
    wide = Edit("wide", "choice", "1", "", choices=tuple("123456"))
    with pytest.raises(InvalidSetting, match="at most 5 values of a choice, and wide has 6"):
        EditLetters.draw(EditSpace("toy", (wide,)))
