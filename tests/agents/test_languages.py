"""Replies about edits and programs, read: what is taken, what is dropped, what is refused."""

import json
import re

import pytest
from toy_code import DRAFT, EDITS, PROGRAMS

from nasarena.agents.context.view import View
from nasarena.agents.languages.candidate import UnusableReply
from nasarena.agents.languages.choice import language_of, parse_reply
from nasarena.agents.operators.catalogue import OPERATORS
from nasarena.search.errors import InvalidSetting
from nasarena.search.trial import Trial

_IDEA = {"name": "deeper", "hypothesis": "more layers", "expected": "better"}
EDIT_VIEW, PROGRAM_VIEW = View(EDITS), View(PROGRAMS)


def read_edits(edits: object, **changes: object) -> str:
    return parse_reply(json.dumps({**_IDEA, "edits": edits, **changes}), EDIT_VIEW).pattern


def program(body: str, expected: str = "better") -> str:
    return f"NAME: other\n**HYPOTHESIS:** it helps\nEXPECTED: {expected}\n{body}"


class TestEdits:
    def test_values_become_the_canonical_list_whatever_their_order(self) -> None:
        assert read_edits({"tie": "on", "depth": 6}) == "depth=6 tie=on"
        assert read_edits({"tie": True, "depth": "6"}) == "depth=6 tie=on"
        assert read_edits({"rate": 0.1}) == "rate=0.1" == read_edits({"rate": 1e-1})
        assert read_edits({}) == "default" == read_edits({"depth": 4})

    def test_the_schema_says_names_kinds_and_ranges(self) -> None:
        schema = language_of(EDITS).schema()
        assert schema is not None
        edits = schema["properties"]["edits"]
        assert list(edits["properties"]) == [edit.name for edit in EDITS.edits]
        assert edits["properties"]["depth"] == {"type": "integer", "minimum": 1, "maximum": 8}
        assert edits["properties"]["rate"] == {"type": "number", "minimum": 0.0001, "maximum": 1}
        assert edits["properties"]["tie"] == {"type": "string", "enum": ["off", "on"]}
        assert not edits["additionalProperties"]
        assert list(schema["properties"]) == ["name", "hypothesis", "expected", "edits"]

    def test_edits_that_mean_nothing_are_dropped_and_named(self) -> None:
        reply = json.dumps({**_IDEA, "edits": {"gamma": 3, "depth": 6}})
        found = parse_reply(reply, EDIT_VIEW)
        assert (found.pattern, dict(found.notes)) == ("depth=6", {"dropped": "gamma"})

    @pytest.mark.parametrize(
        ("edits", "words"),
        [
            ({"depth": 99}, "edit depth must be an integer from 1 to 8, got '99'"),
            ({"depth": 2.5}, "edit depth must be an integer"),
            ({"depth": None}, "edit depth must be a number or a word"),
            ({"depth": True}, "edit depth must be an integer"),
            ({"rate": float("nan")}, "edit rate must be a number"),
            ({"dept": 6}, "no edit is called 'dept'.*depth"),
            ({"loss": "mse"}, "edit loss must be one of cross_entropy, focal"),
            ("depth=6", "an object 'edits', got str"),
            (None, "an object 'edits', got nothing"),
        ],
    )
    def test_what_the_catalogue_does_not_have_is_refused(self, edits: object, words: str) -> None:
        with pytest.raises(UnusableReply, match=words):
            read_edits(edits)
        with pytest.raises(UnusableReply, match="expected must be"):
            read_edits({}, expected="great")

    def test_a_bare_list_is_salvaged(self) -> None:
        assert parse_reply(" depth=6 tie=on\n", EDIT_VIEW).salvaged


class TestPrograms:
    def test_the_longest_fenced_text_is_the_file(self) -> None:
        text = program(f"As in\n```\nx = 1\n```\nso\n```python\n{DRAFT}```\nGood luck.")
        found = parse_reply(text, PROGRAM_VIEW)
        assert found.pattern == DRAFT and dict(found.notes) == {"form": "file"}
        assert (found.name, found.hypothesis, found.expected) == ("other", "it helps", "better")

    def test_blocks_change_the_parent_or_the_last_good_one(self) -> None:
        text = program("<<<<<<< SEARCH\n    a = 3\n=======\n    a = 7\n>>>>>>> REPLACE")
        good = Trial(1, DRAFT, "ok", 0.5)
        wanted = DRAFT.replace("a = 3", "a = 7")
        assert parse_reply(text, View(PROGRAMS, parents=(good,))).pattern == wanted
        broken = Trial(2, "no program", "invalid", parents=(1,))
        view = View(PROGRAMS, parents=(broken,), last_good=good)
        assert parse_reply(text, view).pattern == wanted
        with pytest.raises(UnusableReply, match="no program that blocks could change"):
            parse_reply(text, PROGRAM_VIEW)

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ("no code at all", "must hold a program between"),
            (f"```python\n{DRAFT}", "the program is cut off"),
            ("```python\nimport os\ndef height(x): return x\n```", "import of 'os'"),
            ("```python\ndef other(x): return x\n```", "must define def height"),
            ("```python\ndef height(x:\n```", "does not parse"),
        ],
    )
    def test_what_is_no_program_of_the_task_is_refused(self, body: str, words: str) -> None:
        with pytest.raises(UnusableReply, match=words):
            parse_reply(program(body), PROGRAM_VIEW)

    def test_a_constrained_reply_has_its_lines_and_a_program_that_ends(self) -> None:
        good = Trial(1, DRAFT, "ok", 0.5)
        failed = Trial(2, "no program", "invalid")
        file, blocks = f"```python\n{DRAFT}```", "<<<<<<< SEARCH\na\n=======\n>>>>>>> REPLACE"
        lines = "NAME: other\nHYPOTHESIS: it helps\nEXPECTED: better\n"
        whole, changed = (
            re.compile(OPERATORS[name](View(PROGRAMS, parents=parents)).regex or "")
            for name, parents in (("draft", ()), ("improve", (good,)))
        )
        assert whole.fullmatch(lines + file) and changed.fullmatch(lines + file)
        assert changed.fullmatch(lines + blocks) and not whole.fullmatch(lines + blocks)
        assert changed.fullmatch(f"{lines}{blocks}\n{blocks}\n")
        assert not whole.fullmatch(f"{lines}{file}\nThat is all.\n```")
        assert not changed.fullmatch(f"{lines}{blocks}\nThat is all.\n>>>>>>> REPLACE")
        for broken in (
            lines,
            file,
            lines + file[:-3],
            f"{lines}{blocks}\nThat is all.",
            lines.replace("better", "great") + file,
        ):
            assert not changed.fullmatch(broken)
        mended = OPERATORS["debug"](View(PROGRAMS, parents=(failed,))).regex or ""
        assert not re.fullmatch(mended, lines + blocks), "nothing that blocks could change"
        assert OPERATORS["draft"](EDIT_VIEW).regex is None

    def test_an_expectation_is_required_but_of_a_bare_program(self) -> None:
        with pytest.raises(UnusableReply, match="EXPECTED: must say better, worse or same"):
            parse_reply(program(f"```\n{DRAFT}```", "great"), PROGRAM_VIEW)
        assert parse_reply(DRAFT, PROGRAM_VIEW).salvaged

    def test_debug_shows_where_it_failed_and_what_was_changed(self) -> None:
        good = Trial(1, DRAFT, "ok", 0.5)
        source = DRAFT.replace("b = 2.0", "b = math.log(0)")
        note = "smoke run: ValueError: math domain error (line 5 of height)"
        broken = Trial(2, source, "failed", note=note, parents=(1,))
        shown = OPERATORS["debug"](View(PROGRAMS, parents=(broken,), last_good=good))
        words = shown.messages[1]["content"]
        assert "  line 5, in height: b = math.log(0)\nsmoke run: ValueError: math" in words
        assert "+    b = math.log(0)" in words and "-    b = 2.0" in words
        assert "since program 1, the last one that was scored" in words
        assert "failed in its smoke run" in words
        assert shown.schema is None


def test_a_space_without_words_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="patterns, lists of edits and programs, got int"):
        language_of(3)
