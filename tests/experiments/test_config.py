"""Settings: every YAML composes, explains itself and runs; what is wrong is refused in one line."""

import os
from pathlib import Path
from typing import Any, Literal

import pytest

from nasarena.experiments.comparison.llm import LLMS
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.comparison.resolved_searcher import resolve_searcher, unique_labels
from nasarena.experiments.comparison.run_spec import conclude_cells, search_cell
from nasarena.experiments.settings.config import (
    SearcherConfig,
    audit_config,
    check_config,
    compare_config,
    evaluate_config,
    run_config,
    serve_config,
)
from nasarena.experiments.settings.manual import description, settings_of
from nasarena.experiments.settings.overrides import CONF, choices_of, compose_settings
from nasarena.experiments.settings.registry import PROXIES, SEARCHERS, load_searcher
from nasarena.experiments.settings.typed import coerce, hints_of
from nasarena.search.errors import InvalidSetting
from nasarena.search.run_folder import read_run

COMMANDS = ("compare", "run", "evaluate", "audit", "check", "serve")


def refusal(command: str, *arguments: str) -> str:
    read = {"compare": compare_config, "run": run_config, "evaluate": evaluate_config}
    with pytest.raises(InvalidSetting) as caught:
        read[command](list(arguments))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_names_of_dicts_and_yaml_files_agree() -> None:
    assert choices_of("proxy") == sorted(PROXIES)
    assert choices_of("searcher") == sorted(SEARCHERS.keys() - {"references"})
    assert choices_of("llm") == sorted({*LLMS, "replay"})
    for group in ("proxy", "searcher", "llm"):
        for choice in choices_of(group):
            settings = {
                key: value for key, value, _ in settings_of(CONF / group / f"{choice}.yaml")
            }
            assert settings["name"] == choice


@pytest.mark.parametrize("file", sorted(CONF.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_setting_is_explained(file: Path) -> None:
    assert description(file) or file.stem in COMMANDS
    unexplained = [key for key, _, text in settings_of(file) if not text and key != "name"]
    assert unexplained == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_composes_with_its_defaults(command: str) -> None:
    read = {"audit": audit_config, "check": check_config, "evaluate": evaluate_config}
    read |= {"compare": compare_config, "run": run_config}  # type: ignore[dict-item]
    read |= {"serve": lambda arguments: serve_config("org/model", arguments)}  # type: ignore[dict-item]
    read[command]([])


@pytest.mark.parametrize("name", choices_of("searcher"))
def test_every_searcher_yaml_says_what_the_code_says(name: str) -> None:
    """`run` reads options from YAML, `compare` from signatures: both must mean the same run."""
    spec = load_searcher(name)
    config = run_config([f"searcher={name}", "proxy=additive"])
    if not spec.uses_llm:
        assert config.searchers[0].options == spec.options()


@pytest.mark.parametrize(
    "name", [name for name in choices_of("searcher") if not name.startswith("agent-")]
)
def test_every_classical_searcher_runs_two_trials(name: str, tmp_path: Path) -> None:
    small = ["proxy=additive", "space.depth=6", "budget=trials", "budget.amount=2"]
    config = run_config([f"searcher={name}", f"folder={tmp_path}", "loop.initial_design=0", *small])
    (cell,) = plan_comparison(config, "test").cells
    # Nine ninths of a training, then three times two ninths; the last two thirds do not fit.
    # The pruned: two in full, each by way of a ninth and a third.
    num_trials = {"successive-halving": 12, "hyperband": 12, "tpe-pruned": 6}.get(name, 2)
    assert search_cell(cell, lambda advance: None).num_trials == num_trials
    conclude_cells([cell])
    assert read_run(cell.path).state == "finished"


@pytest.mark.parametrize("name", ["additive", "nk"])
def test_every_landscape_yaml_runs_two_trials(name: str, tmp_path: Path) -> None:
    small = ["space.depth=6", "budget=trials", "budget.amount=2"]
    (cell,) = plan_comparison(
        run_config([f"proxy={name}", f"folder={tmp_path}", *small]), "test"
    ).cells
    assert search_cell(cell, lambda advance: None).num_trials == 2


def test_overrides_reach_the_dataclasses() -> None:
    config = compare_config(
        "searchers=[random,{name:evolution,options:{population:20},label:small}] seeds=8 "
        "proxy=additive proxy.noise=0.5 budget.amount=2e14 searcher.path=my.py:f "
        "searcher.options.depth=3 loop.duplicates=retrain space=AM".split()
    )
    assert config.searchers == (
        SearcherConfig("random", {}),
        SearcherConfig("evolution", {"population": 20}, "small"),
        SearcherConfig("my.py:f", {"depth": 3}),
    )
    assert (config.seeds, config.proxy.options["noise"]) == (8, 0.5)
    assert (config.budget.amount, config.budget.patterns) == (2e14, None)
    assert (config.loop.duplicates, config.space.size) == ("retrain", 2**16)


def test_composing_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    compose_settings("compare", ["proxy=additive"])
    assert list(tmp_path.iterdir()) == [] and Path.cwd() == tmp_path
    assert "HYDRA_MAIN_MODULE" not in os.environ


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("budgt.amount=3", "no setting is called 'budgt.amount'; nearest: budget.amount"),
        ("noise=3", "nearest: proxy.noise"),
        ("proxy.noize=1", "nearest: proxy.noise"),
        ("proxy=aditive", "no proxy is called 'aditive'; nearest: additive"),
        ("space=ams", "no space is called 'ams'; expected one of AM, AMS"),
        ("seeds=abc", "seeds must be a whole number, got 'abc'"),
        ("seeds=0", "seeds must be at least 1, got 0"),
        ("seeds=1,2", "a list is seeds=[a,b]"),
        ("seeds", "cannot read 'seeds' as key=value"),
        ("+seeds=3", "settings are changed as key=value"),
        ("seeds=[1", "cannot read 'seeds=[1' as key=value"),
        ("cache=3", "cache must be true or false, got 3"),
        ("searchers=random", "searchers must be a list such as [random,tpe], got 'random'"),
        ("searchers=[]", "at least one searcher"),
        ("searchers=[3]", "a searcher is a name"),
        ("searcher.options.population=3", "searcher.path, which is not given"),
        ("budget.amount=-1", "budget.amount must be positive and finite, got -1"),
        ("budget.unit=dollars", "budget.unit must be one of flops, device_seconds"),
        ("budget=trials", "exactly one of budget.amount and budget.patterns"),
        ("loop.duplicates=twice", "loop.duplicates must be one of reuse, retrain, got 'twice'"),
        ("space.depth=0", "space.depth must be at least 1"),
        ("name=a/b", "name must be usable as the name of one folder"),
        ("proxy.noise=loud", "proxy.noise must be a number, got 'loud'"),
    ],
)
def test_a_wrong_setting_is_one_line_with_advice(argument: str, words: str) -> None:
    base = [] if argument.startswith("proxy=") else ["proxy=additive"]
    assert words in refusal("compare", *base, argument)


def test_amount_and_patterns_exclude_each_other() -> None:
    assert "exactly one" in refusal("compare", "budget.amount=10", "budget.patterns=3")


def test_a_name_and_a_path_exclude_each_other() -> None:
    assert "not both" in refusal("run", "searcher=tpe", "searcher.path=my.py:f")


def test_options_of_searchers_are_checked_before_anything_runs() -> None:
    def words(**options: Any) -> str:
        with pytest.raises(InvalidSetting) as caught:
            resolve_searcher(SearcherConfig("evolution", options))
        return str(caught.value)

    assert "no option 'populaton'; nearest: population" in words(populaton=3)
    assert "option population of searcher 'evolution' must be a whole number" in words(
        population="x"
    )
    entrant = resolve_searcher(SearcherConfig("evolution", {"population": 20}))
    assert entrant.options == {"population": 20, "tournament": 10}


def test_variants_of_one_searcher_get_names_of_their_own() -> None:
    small = SearcherConfig("evolution", {"population": 20})
    labels = [
        e.label
        for e in unique_labels(
            [resolve_searcher(SearcherConfig("evolution", {})), resolve_searcher(small)]
        )
    ]
    assert labels == ["evolution-population=50", "evolution-population=20"]
    with pytest.raises(InvalidSetting, match="names 'evolution-?.*' 2 times"):
        unique_labels([resolve_searcher(small), resolve_searcher(small)])


@pytest.mark.parametrize(
    ("value", "hint", "result"),
    [
        (3, float, 3.0),
        (1e3, int, 1000),
        (None, int | None, None),
        ([1, 2], list[int], [1, 2]),
        ("a", Literal["a", "b"], "a"),
        (7, str, "7"),
        ({"x": 1}, dict[str, Any], {"x": 1}),
    ],
)
def test_values_become_what_their_type_says(value: Any, hint: Any, result: Any) -> None:
    found = coerce(value, hint, "x")
    assert found == result and type(found) is type(result)


@pytest.mark.parametrize(
    ("value", "hint"),
    [(True, int), (1.5, int), ("a", float), (1, bool), ([1], str), (None, int), ("a", list[int])],
)
def test_values_of_another_type_are_refused(value: Any, hint: Any) -> None:
    with pytest.raises(InvalidSetting, match="^x must be "):
        coerce(value, hint, "x")


def test_hints_that_only_a_type_checker_knows_are_left_out() -> None:
    def function(known: int, unknown: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    assert hints_of(function) == {"known": int, "return": None}


def test_a_comparison_is_as_large_as_its_proxy_allows() -> None:
    on_landscape, on_quick = compare_config(["proxy=additive"]), compare_config(["proxy=quick"])
    assert (on_landscape.seeds, on_landscape.budget.patterns) == (20, 72)
    assert (on_quick.seeds, on_quick.budget.patterns, on_quick.loop.top_k) == (3, 36, 3)
    bare = compare_config([]).loop
    assert (bare.top_k, bare.final_replicates) == (1, 4)
    given = compare_config(["proxy=quick", "seeds=5", "budget.patterns=32"])
    assert (given.seeds, given.budget.patterns) == (5, 32)
    assert run_config(["proxy=quick"]).budget == on_quick.budget
