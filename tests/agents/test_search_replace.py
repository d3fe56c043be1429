"""SEARCH/REPLACE blocks: found exactly, or but for white space, or refused with what is nearest."""

import pytest

from nasarena.agents.languages.candidate import UnusableReply
from nasarena.agents.languages.search_replace import MOST_BLOCKS, apply_blocks, find_blocks

PROGRAM = """\
def height(x):
    a = 3

    for _ in range(a):
        x = x + 1
    return a * x
"""


def block(search: str, replace: str) -> str:
    return f"<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE"


def change(*blocks: tuple[str, str]) -> tuple[str, bool]:
    text = "Some words.\n" + "\n\nand\n".join(block(*one) for one in blocks)
    return apply_blocks(PROGRAM, find_blocks(text))


def test_what_stands_there_exactly_is_replaced_and_nothing_else() -> None:
    source, was_loose = change(("    a = 3", "    a = 4\n    b = 5"))
    assert source == PROGRAM.replace("    a = 3\n", "    a = 4\n    b = 5\n")
    assert not was_loose


def test_blocks_act_one_after_the_other_and_may_delete() -> None:
    source, _ = change(("    a = 3", "    a = 4"), ("    a = 4", "    a = 5"))
    assert "a = 5" in source and "a = 4" not in source
    source, _ = apply_blocks(
        PROGRAM, find_blocks("<<<<<<< SEARCH\n    a = 3\n=======\n>>>>>>> REPLACE")
    )
    assert source == PROGRAM.replace("    a = 3\n", "")


def test_white_space_is_disregarded_only_where_nothing_stands_exactly() -> None:
    source, was_loose = change(("for  _ in range(a):\nx = x +  1", "while x < 9:\n    x += 2"))
    assert was_loose
    assert source == PROGRAM.replace(
        "    for _ in range(a):\n        x = x + 1\n", "    while x < 9:\n        x += 2\n"
    )


def test_a_replacement_that_is_indented_as_the_place_stays_as_it_is() -> None:
    source, was_loose = change(("a = 3", "    a = 4\n    b = 5"))
    assert was_loose and source == PROGRAM.replace("    a = 3\n", "    a = 4\n    b = 5\n")


def test_what_is_not_there_is_refused_with_the_nearest_lines() -> None:
    with pytest.raises(
        UnusableReply, match="block 1 searches does not stand.* lines 5 to 5"
    ) as got:
        change(("        x = x + 2", "        x = x + 3"))
    assert got.value.excerpt == "        x = x + 1"


def test_what_is_there_twice_is_refused_with_its_places() -> None:
    twice = PROGRAM + PROGRAM
    with pytest.raises(UnusableReply, match="2 times, at lines 2, 8"):
        apply_blocks(twice, find_blocks(block("    a = 3", "    a = 4")))


def test_broken_forms_are_refused() -> None:
    with pytest.raises(UnusableReply, match="block 1 has no end"):
        find_blocks("<<<<<<< SEARCH\na\n=======\nb")
    with pytest.raises(UnusableReply, match="must say what to search"):
        change(("  \n", "x = 1"))
    with pytest.raises(UnusableReply, match=f"at most {MOST_BLOCKS} blocks"):
        find_blocks("\n".join([block("a", "b")] * (MOST_BLOCKS + 1)))
    assert find_blocks("no block here\n=======\n>>>>>>> REPLACE") == []
