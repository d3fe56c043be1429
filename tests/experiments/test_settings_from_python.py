"""Settings from Python values mean what the same command line means."""

from typing import Any

import pytest

from nasarena.experiments.settings.commands import compare_settings, evaluate_settings, run_settings
from nasarena.search.errors import InvalidSetting


@pytest.mark.parametrize(
    ("values", "arguments"),
    [
        ({}, []),
        (
            {"searchers": ["random", {"name": "tpe", "options": {"num_startup": 6}}], "seeds": 5},
            ["searchers=[random,{name:tpe,options:{num_startup:6}}]", "seeds=5"],
        ),
        (
            {"proxy": "quick", "budget": {"patterns": 24}, "loop": {"finalists": 1}},
            ["proxy=quick", "budget.patterns=24", "loop.finalists=1"],
        ),
        (
            {"proxy": {"name": "quick", "train": {"steps": 7}}, "space": "AM", "report": False},
            ["proxy=quick", "proxy.train.steps=7", "space=AM", "report=false"],
        ),
        ({"name": "it's, so [far]"}, ["name='it\\'s, so [far]'"]),
        ({"budget": {"name": "tokens", "amount": 1e9}}, ["budget=tokens", "budget.amount=1e9"]),
    ],
)
def test_values_and_arguments_mean_the_same(values: dict[str, Any], arguments: list[str]) -> None:
    assert compare_settings(**values) == compare_settings(arguments)


def test_the_other_commands_read_values_too() -> None:
    assert run_settings(searcher="tpe", seed=3) == run_settings(["searcher=tpe", "seed=3"])
    evaluated = evaluate_settings(proxy={"name": "nk", "noise": 0.0}, seeds=2)
    assert evaluated == evaluate_settings(["proxy=nk", "proxy.noise=0.0", "seeds=2"])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sedes": 3}, "no setting is called 'sedes'; nearest: seeds"),
        ({"seeds": "many"}, "seeds must be a whole number, got 'many'"),
        ({"proxy": {"name": "quick", "train": {"stebs": 3}}}, "nearest: proxy.train.steps"),
    ],
)
def test_a_wrong_value_is_one_line(values: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        compare_settings(**values)
    assert words in str(caught.value) and "\n" not in str(caught.value)
