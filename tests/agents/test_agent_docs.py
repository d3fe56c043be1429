"""docs/agents.md is in step with the code: prompts, schemas, options, names."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from nasarena.agents.context.controls import CONTROLS
from nasarena.agents.context.memory import MEMORY_VIEWS
from nasarena.agents.llm.client import Reply, Request, ask_and_parse
from nasarena.agents.operators import prompts
from nasarena.agents.operators.analyze import lesson_schema
from nasarena.agents.operators.candidate import candidate_schema
from nasarena.agents.options import AgentOptions
from nasarena.search.space import PatternSpace
from nasarena.search.trial import LlmCost

PAGE = (Path(__file__).parents[2] / "docs" / "agents.md").read_text()
WORDS = {name: words for name, words in vars(prompts).items() if name.isupper()}
HEADINGS = {"LESSONS_HEADING", "PENDING_HEADING", "BEST"}


@pytest.mark.parametrize("name", sorted(WORDS.keys() - HEADINGS))
def test_every_text_is_shown_whole(name: str) -> None:
    assert f"```text\n{WORDS[name]}\n```" in PAGE


def test_the_repair_turn_is_shown_as_it_is_said() -> None:
    client = ScriptedOnce()
    ask_and_parse(client, Request(({"role": "user", "content": "x"},)), read_nothing)
    words = client.requests[1].messages[-1]["content"].replace("no good", "{error}")
    assert f"```text\n{words}\n```" in PAGE


class ScriptedOnce:
    """Answers everything in the same way and remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def complete(self, request: Request) -> Reply:
        self.requests.append(request)
        return Reply("?", LlmCost())


def read_nothing(text: str) -> str:
    raise ValueError("no good")


def test_the_schemas_are_shown_whole() -> None:
    for schema in (candidate_schema(PatternSpace("AMS", 16)), lesson_schema()):
        assert f"```json\n{json.dumps(schema, indent=1)}\n```" in PAGE


def test_every_option_is_described_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", PAGE, re.MULTILINE))
    for field in fields(AgentOptions):
        shown = rows[field.name].strip("`")
        if field.name != "memory":
            assert shown == ("none" if field.default is None else str(field.default)), field.name


@pytest.mark.parametrize("view", MEMORY_VIEWS)
def test_every_memory_view_is_described(view: str) -> None:
    assert f"`{view}`" in PAGE


@pytest.mark.parametrize("control", CONTROLS[1:])
def test_every_control_is_described(control: str) -> None:
    assert f"| `{control}` |" in PAGE
