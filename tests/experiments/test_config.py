"""Settings: every YAML composes, explains itself and runs; what is wrong is refused in one line."""

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from nasarena.experiments.comparison.llm import LLMS as OPENERS
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.comparison.resolved_searcher import resolve_searcher, unique_labels
from nasarena.experiments.comparison.run_spec import conclude_cells, search_cell
from nasarena.experiments.settings.choices import LLMS
from nasarena.experiments.settings.commands import (
    aggregate_settings,
    audit_settings,
    check_settings,
    compare_settings,
    design_settings,
    downstream_settings,
    evaluate_settings,
    export_settings,
    import_settings,
    inference_settings,
    run_settings,
    scale_settings,
    serve_settings,
)
from nasarena.experiments.settings.config import SearcherConfig
from nasarena.experiments.settings.manual import (
    COMMANDS,
    choice_groups,
    manual,
    preset_of,
    settings_of,
)
from nasarena.experiments.settings.overrides import CONF, choices_of
from nasarena.experiments.settings.registry import PROXIES, SEARCHERS, load_proxy_settings
from nasarena.proxies.patternbench.suite import SUITE, SuiteSettings
from nasarena.proxies.presets import MadProxySettings
from nasarena.search.errors import InvalidSetting, setting_names
from nasarena.search.run_folder import read_run

READ: dict[str, Callable[[list[str]], Any]] = {
    "compare": compare_settings,
    "run": run_settings,
    "evaluate": evaluate_settings,
    "audit": audit_settings,
    "aggregate": aggregate_settings,
    "downstream": downstream_settings,
    "inference": inference_settings,
    "scale": scale_settings,
    "export": export_settings,
    "import": import_settings,
    "design": design_settings,
    "check": check_settings,
    "serve": lambda arguments: serve_settings("org/model", arguments),
}


def refusal(command: str, *arguments: str) -> str:
    with pytest.raises(InvalidSetting) as caught:
        READ[command](list(arguments))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_names_of_dicts_and_presets_agree() -> None:
    assert choices_of("proxy") == sorted(PROXIES)
    assert list(LLMS) == [*OPENERS, "replay"] == ["scribe", "server", "vllm", "replay"]
    for choice in choices_of("proxy"):
        assert preset_of(f"proxy/{choice}")["name"] == choice
    assert not (CONF / "searcher").exists()  # what a searcher has stands in its code alone


@pytest.mark.parametrize("command", COMMANDS)
def test_every_setting_of_every_choice_is_explained(command: str) -> None:
    entries = settings_of(COMMANDS[command], preset_of(command))
    for group in choice_groups(command).values():
        assert all(group.about(choice) for choice in group.names)
        entries += [one for choice in group.names for one in group.entries(choice)]
    assert len(entries) >= 2
    assert [one.key for one in entries if not one.text] == []


@pytest.mark.parametrize("name", sorted(PROXIES))
def test_a_preset_repeats_no_default(name: str) -> None:
    """Defaults stand in one place: a preset has what it changes and nothing else."""
    cls = load_proxy_settings(name)
    preset = dict(leaves(preset_of(f"proxy/{name}")))
    assert preset.pop("name") == name
    defaults = dict(leaves(asdict(cls())))
    assert {key: value for key, value in preset.items() if defaults[key] == value} == {}


def leaves(values: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def test_help_shows_the_chosen_one_whole() -> None:
    text = manual("run", "", "", ["searcher=agent-sequential", "proxy=text"])
    for words in (
        "searcher.options.memory=recent",
        "searcher.options.control=none",
        "searcher.options.prompt=full",
        "proxy.train.steps=1000",
        "proxy.train.beta1=0.9",
        "proxy.train.final_fraction=0.0",
        "proxy.model.rotary=true",
        "proxy.model.width=128",
    ):
        assert words in text
    whole = text[text.index("settings of proxy=text:") : text.index("settings of proxy=quick")]
    assert whole.count("proxy.") == len(leaf_names(load_proxy_settings("text")))


def leaf_names(cls: type[Any]) -> list[str]:
    return [name for name in setting_names(cls) if not name.endswith("changes")]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_composes_with_its_defaults(command: str) -> None:
    READ[command]([])


@pytest.mark.parametrize(
    "name", [name for name in SEARCHERS if not name.startswith(("agent-", "references"))]
)
def test_every_classical_searcher_runs_two_trials(name: str, tmp_path: Path) -> None:
    small = ["proxy=additive", "space.depth=6", "budget=trials", "budget.amount=2"]
    config = run_settings(
        [f"searcher={name}", f"folder={tmp_path}", "loop.initial_design=0", *small]
    )
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
        run_settings([f"proxy={name}", f"folder={tmp_path}", *small]), "test"
    ).cells
    assert search_cell(cell, lambda advance: None).num_trials == 2


def test_overrides_reach_the_dataclasses() -> None:
    config = compare_settings(
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
    compare_settings(["proxy=additive"])
    assert list(tmp_path.iterdir()) == [] and Path.cwd() == tmp_path
    assert "HYDRA_MAIN_MODULE" not in os.environ


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("budgt.amount=3", "no setting is called 'budgt'; nearest: budget"),
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
        ("searchers=random", "searchers must be a list such as [a,b], got 'random'"),
        ("searchers=[]", "searchers must be a list of at least 1, got []"),
        (
            "searchers=[3]",
            "searchers must be names, my_file.py:my_searcher or {name:...,options:{...}}, got 3",
        ),
        ("searcher.options.population=3", "searcher.path, which is not given"),
        ("budget.amount=-1", "budget.amount must be positive, got -1"),
        ("budget.unit=dollars", "budget.unit must be one of flops, device_seconds"),
        ("budget=trials", "budget.amount or budget.patterns must be given, exactly one of them"),
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

    assert (
        "no setting is called 'evolution.options.populaton'; nearest: evolution.options.pop"
        in words(populaton=3)
    )
    assert "evolution.options.population must be a whole number, got 'x'" in words(population="x")
    entrant = resolve_searcher(SearcherConfig("evolution", {"population": 20}))
    assert entrant.options == {"population": 20, "tournament": None}


def test_defaults_follow_the_budget_and_given_values_do_not() -> None:
    def options(name: str, num_trials: int, **given: Any) -> Any:
        return resolve_searcher(SearcherConfig(name, given), num_trials=num_trials).options

    # The populations and random starts that the bare comparison has had at 72 patterns.
    assert options("evolution", 72)["population"] == 8
    assert options("genetic", 72)["population"] == 10
    assert options("tpe", 72)["num_startup"] == options("botorch", 72)["num_startup"] == 6
    assert options("evolution", 200)["population"] == 22
    assert options("evolution", 30)["population"] == 8  # not below
    assert options("evolution", 10_000)["population"] == 50  # nor above what a long run has
    assert options("evolution", 30, population=50)["population"] == 50
    inner = options("agent-override", 72, inner="evolution")["inner"]
    assert inner["options"] == options("evolution", 72)  # a hybrid's half is the plain searcher


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


def test_a_comparison_is_as_large_as_its_proxy_allows() -> None:
    on_landscape, on_quick = compare_settings(["proxy=additive"]), compare_settings(["proxy=quick"])
    assert (on_landscape.seeds, on_landscape.budget.patterns) == (20, 72)
    assert (on_quick.seeds, on_quick.budget.patterns, on_quick.loop.final_replicates) == (3, 36, 1)
    bare = compare_settings([])
    settings = bare.proxy.settings
    assert isinstance(settings, SuiteSettings) and settings.landscapes == SUITE
    assert bare.seeds * len(SUITE) >= 20 and bare.budget.patterns == 200
    assert (bare.loop.finalists, bare.loop.final_replicates) == (None, 1)  # as the budget allows
    full = compare_settings(["scale=full"])
    assert (full.seeds, full.loop.final_replicates) == (20, 4)
    given = compare_settings(["proxy=quick", "seeds=5", "budget.patterns=32"])
    assert (given.seeds, given.budget.patterns) == (5, 32)
    assert run_settings(["proxy=quick"]).budget == on_quick.budget


def test_mad_is_trained_and_scored_as_published() -> None:
    """1,024 numbers of state a layer, 200 epochs from 5e-4 to 1e-6, AdamW's own betas, no clip."""
    found = evaluate_settings(["proxy=mad"]).proxy.settings
    assert isinstance(found, MadProxySettings)
    train, mamba = found.train, found.model.mamba
    assert mamba.inner * mamba.state == 256 * 4
    assert (train.beta1, train.beta2, train.clip, train.weight_decay) == (0.9, 0.999, None, 0.0)
    assert train.rate(0) == 5e-4 and train.rate(train.steps) == pytest.approx(1e-6)
    assert train.steps * train.batch_size == 200 * train.num_train
    assert found.score_by == "class_accuracy"
