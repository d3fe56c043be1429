"""docs/agents.md is in step with the code: agents, operators, options, views, controls."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from nasarena.agents.context.controls import CONTROLS
from nasarena.agents.context.memory import MEMORY_VIEWS
from nasarena.agents.context.view import View
from nasarena.agents.languages.candidate import candidate_schema
from nasarena.agents.operators.analyze import lesson_schema
from nasarena.agents.operators.catalogue import OPERATORS
from nasarena.agents.operators.query import query_schema
from nasarena.agents.options import AgentOptions
from nasarena.experiments.settings.registry import SEARCHERS
from nasarena.search.space import PatternSpace

PAGE = (Path(__file__).parents[2] / "docs" / "agents.md").read_text()


@pytest.mark.parametrize("operator", [*OPERATORS, "analyze", "query"])
def test_every_operator_is_described(operator: str) -> None:
    assert f"\n| {operator.capitalize()} | " in PAGE


@pytest.mark.parametrize("name", [name for name in SEARCHERS if name.startswith("agent-")])
def test_every_agent_is_described(name: str) -> None:
    assert f"| `{name}` |" in PAGE or re.search(rf"\*\*.*`{name}`.*\*\*", PAGE)


@pytest.mark.parametrize(
    "schema",
    [
        candidate_schema(PatternSpace("AMS", 16)),
        lesson_schema(),
        query_schema(View(PatternSpace())),
    ],
)
def test_every_key_of_a_reply_is_described(schema: dict[str, Any]) -> None:
    form = PAGE.split("## Prompts and schemas")[1]
    assert set(schema["properties"]) <= set(re.findall(r"`(\w+)`", form))


def test_every_option_is_described_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", PAGE, re.MULTILINE))
    for name, default in asdict(AgentOptions()).items():
        shown = rows[name].strip("`")
        if name != "memory":
            assert shown == ("none" if default is None else str(default)), name


@pytest.mark.parametrize("view", MEMORY_VIEWS)
def test_every_memory_view_is_described(view: str) -> None:
    assert f"`{view}`" in PAGE


@pytest.mark.parametrize("control", CONTROLS[1:])
def test_every_control_is_described(control: str) -> None:
    assert f"| `{control}` |" in PAGE
