"""Programs that lists of edits make: what searches without a model move over."""

import numpy as np
from toy_code import DRAFT, EDITS, PROGRAMS

from nasarena.search.candidates.edit_space import DEFAULT
from nasarena.search.candidates.program_space import Catalogue, ProgramSpace


def render(edits: str) -> str:
    given = EDITS.given(edits)
    said = "" if edits == DEFAULT else f'"""A program.\n\nEdits of the given script: {edits}\n"""\n'
    numbers = "".join(f"# {name} {value}\n{name.upper()} = {value!r}\n" for name, value in
                      given.items())  # fmt: skip
    return said + DRAFT + numbers


SPACE = ProgramSpace(
    "toy", PROGRAMS.interface, (("draft", DRAFT),), catalogue=Catalogue(EDITS, render)
)


def test_random_programs_are_those_of_random_lists() -> None:
    one, other = np.random.default_rng(1), np.random.default_rng(1)
    assert [SPACE.sample(one) for _ in range(5)] == [render(EDITS.sample(other)) for _ in range(5)]
    assert SPACE.sample_distinct(3, np.random.default_rng(0))[0] == DRAFT


def test_moves_of_such_a_program_are_moves_of_its_list() -> None:
    program = render("depth=6 tie=on")
    assert SPACE.list_of(program) == "depth=6 tie=on"
    one, other = np.random.default_rng(2), np.random.default_rng(2)
    assert SPACE.mutate(program, one, 2) == render(EDITS.mutate("depth=6 tie=on", other, 2))
    assert list(SPACE.neighbours(program)) == [
        render(edits) for edits in EDITS.neighbours("depth=6 tie=on")
    ]
    child = SPACE.crossover(program, render("rate=0.5"), np.random.default_rng(3))
    assert child == render(EDITS.crossover("depth=6 tie=on", "rate=0.5", np.random.default_rng(3)))


def test_a_program_that_only_says_so_is_moved_by_its_numbers() -> None:
    claims = render("depth=6").replace("a = 3", "a = 5")
    assert SPACE.list_of(claims) is None
    assert SPACE.list_of(DRAFT) == DEFAULT
    assert SPACE.list_of(f'"""\nEdits of the given script: depth=99\n"""\n{DRAFT}') is None
    moved = SPACE.mutate(claims, np.random.default_rng(0))
    assert SPACE.list_of(moved) is None and moved != claims
    assert PROGRAMS.list_of(DRAFT) is None


def test_the_catalogue_is_part_of_what_a_space_says_of_itself() -> None:
    assert SPACE.describe()["rules"] != PROGRAMS.describe()["rules"]
    told = ProgramSpace("toy", PROGRAMS.interface, (("draft", DRAFT),), about="words")
    assert told.describe() == PROGRAMS.describe()
