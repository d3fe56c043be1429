"""The letter control: searchers behind permuted letters; who must not care, and how it is shown."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from fakes import SEARCHING, SHORT
from nasarena.experiments.commands.one_comparison import run_missing
from nasarena.experiments.comparison.permuted import Permutation, PermutedLetters, with_controls
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.settings.commands import compare_settings
from nasarena.experiments.settings.config import SearcherConfig
from nasarena.experiments.settings.registry import load_searcher
from nasarena.figures.comparison import write_all
from nasarena.figures.plots.letter_control import draw
from nasarena.figures.report.controls import controls
from nasarena.figures.results.analysis import analyze
from nasarena.figures.results.paired_controls import in_words
from nasarena.figures.results.tables import read_tables
from nasarena.proxies.landscapes import additive
from nasarena.search.errors import InvalidSetting
from nasarena.search.run_folder import find_runs, read_run
from nasarena.search.searcher import Searcher, build_searcher
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Proposal, Trial

Add = Callable[..., Path]
SPACE = PatternSpace("AMS", 6)
# Where each letter goes: every pattern of SPACE under other names, in an alphabet of that order.
RENAMED = PatternSpace("SAM", 6)
TO_RENAMED = str.maketrans("AMS", "SAM")


class Recording:
    """Asks what it is given, and keeps what it is told."""

    def __init__(self, asks: Sequence[Any]) -> None:
        self.asks, self.told = list(asks), []  # type: ignore[var-annotated]

    def ask(self, n: int) -> Any:
        return self.asks.pop(0)

    def tell(self, trials: Sequence[Trial]) -> None:
        self.told += trials


def build(name: str, space: PatternSpace, seed: int = 0) -> Searcher:
    rng = stream(seed, "searcher")
    return build_searcher(load_searcher(name), space, rng, SHORT.get(name, {}), num_trials=14)


def test_no_letter_keeps_its_place_and_a_seed_fools_all_alike() -> None:
    seen = set()
    for seed in range(40):
        permutation = Permutation.of_seed("AMS", seed)
        assert permutation == Permutation.of_seed("AMS", seed)
        assert sorted(permutation.shown) == list("AMS")
        assert all(a != b for a, b in zip(permutation.true, permutation.shown, strict=True))
        seen.add(permutation.shown)
    assert seen == {"MSA", "SAM"}
    assert Permutation.of_seed("AM", 3).shown == "MA"
    with pytest.raises(InvalidSetting, match="two letters or more"):
        Permutation.of_seed("A", 0)


def test_the_proxy_sees_true_patterns_and_the_searcher_shown_ones() -> None:
    inner = Recording([["AAMS", Proposal("SSMA", details={"name": "AAAA"}), 42], "AMSA", None])
    searcher = PermutedLetters(inner, Permutation("AMS", "MSA"))  # A is shown as M, M as S, S as A
    first, second, third = searcher.ask(3)
    assert (first, third) == ("SSAM", 42)
    assert second == Proposal("MMAS", details={"name": "AAAA"})
    assert searcher.ask(1) == "AMSA" and searcher.ask(1) is None  # the loop's to complain about
    searcher.tell(
        [
            Trial(0, "SSAM", "ok", 1.5, {"loss": -1.5}),
            Trial(1, "MM?", "invalid", note="pattern must have 4 letters, got 3 ('MM?')"),
        ]
    )
    assert [trial.pattern for trial in inner.told] == ["AAMS", "SS?"]
    assert inner.told[0] == replace(Trial(0, "AAMS", "ok", 1.5, {"loss": -1.5}))
    assert "MM" not in inner.told[1].note


@pytest.mark.parametrize("name", SEARCHING)
def test_letters_are_known_by_their_place_in_the_alphabet_alone(name: str) -> None:
    """Under other names in the same order a classical searcher asks the same, letter for letter.

    So nothing in it knows what an A is. Exact, for one and the same random stream.
    """
    proxy = additive(SPACE, failure_rate=0.2)
    plain, renamed = build(name, SPACE), build(name, RENAMED)
    rng = stream(0, "start")
    start = [SPACE.sample(rng) for _ in range(4)]
    told = [Trial(i, pattern, "ok", proxy.true_score(pattern)) for i, pattern in enumerate(start)]
    plain.tell(told)
    renamed.tell([rename_trial(trial) for trial in told])
    for index in range(4, 14):
        (first,), (second,) = plain.ask(1), renamed.ask(1)
        pattern, other = (
            item if isinstance(item, str) else item.pattern for item in (first, second)
        )
        assert pattern.translate(TO_RENAMED) == other, index
        score = proxy.true_score(pattern)
        trial = (
            Trial(index, pattern, "failed")
            if index % 5 == 0
            else Trial(index, pattern, "ok", score)
        )
        trial = replace(trial, fidelity=getattr(first, "fidelity", 1.0))
        plain.tell([trial])
        renamed.tell([rename_trial(trial)])


def rename_trial(trial: Trial) -> Trial:
    return replace(trial, pattern=trial.pattern.translate(TO_RENAMED))


# Cheap enough for hundreds of asks. Nevergrad's default encoding orders the letters, one variable
# per layer, so which letter lies between the two others may matter to it: the report measures it.
@pytest.mark.parametrize(
    "name", ["random", "local-search", "evolution", "genetic", "tpe", "successive-halving"]
)
def test_the_order_of_letters_does_not_matter_either(name: str) -> None:
    """After the same trials, what is asked next is distributed alike behind permuted letters."""
    space = PatternSpace("AMS", 3)
    rng = stream(1, "start")
    patterns = dict.fromkeys(space.sample(rng) for _ in range(14))
    told = [Trial(i, p, "ok", float(i % 5) - 0.1 * i) for i, p in enumerate(patterns)]
    num_asks = 150 if name == "tpe" else 600

    def count_asks(permuted: bool) -> Counter[str]:
        counts: Counter[str] = Counter()
        for seed in range(num_asks):
            searcher = build(name, space, 1000 * permuted + seed)
            if permuted:
                searcher = PermutedLetters(searcher, Permutation("AMS", "MSA"))
            searcher.tell(told)
            (item,) = searcher.ask(1)
            counts[item if isinstance(item, str) else item.pattern] += 1
        return counts

    plain, blinded = count_asks(permuted=False), count_asks(permuted=True)
    keys = sorted({*plain, *blinded}, key=lambda key: -(plain[key] + blinded[key]))
    often = [key for key in keys if plain[key] + blinded[key] >= 10]
    rest = [key for key in keys if key not in often]
    table = [[c[key] for key in often] + [sum(c[key] for key in rest)] for c in (plain, blinded)]
    counts = np.array(table)[:, np.sum(table, axis=0) > 0]
    assert chi2_contingency(counts).pvalue > 1e-3


def test_a_searcher_that_knows_a_letter_is_found_out() -> None:
    """The same test must be able to fail: this one likes A, and permuted letters send it to S."""

    class LikesA:
        def ask(self, n: int) -> list[str]:
            return ["A" * 3]

        def tell(self, trials: Sequence[Trial]) -> None:
            pass

    blinded = PermutedLetters(LikesA(), Permutation("AMS", "MSA"))
    assert blinded.ask(1) == ["SSS"] != LikesA().ask(1)


def test_controls_are_added_once_to_each() -> None:
    evolution = SearcherConfig("evolution", {})
    twin = replace(evolution, control="permuted_letters")
    random = SearcherConfig("random", {})
    assert with_controls([evolution, random], []) == [evolution, random]
    assert with_controls([evolution, twin, random], ["permuted_letters"]) == [
        evolution,
        twin,
        random,
        replace(random, control="permuted_letters"),
    ]


@pytest.fixture(scope="module")
def comparison_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two searchers and their controls on seven seeds of an additive landscape."""
    folder = tmp_path_factory.mktemp("controls")
    arguments = [
        "proxy=additive", f"folder={folder}", "name=x", "budget=trials", "budget.amount=12",
        "seeds=7", "searchers=[random,{name:evolution,options:{population:5,tournament:3}}]",
        "references=false", "controls=[permuted_letters]",
    ]  # fmt: skip
    comparison = plan_comparison(compare_settings(arguments), "nasarena compare")
    assert run_missing(comparison, "nasarena compare", make_console(), 1, False) == []
    write_all(folder / "x", "nasarena compare", only=("controls",))
    return folder / "x"


def test_a_control_is_a_run_of_its_own_beside_the_real_one(comparison_folder: Path) -> None:
    assert {path.parent.name for path in find_runs(comparison_folder)} == {
        "evolution", "evolution-permuted_letters", "random", "random-permuted_letters",
    }  # fmt: skip
    real = read_run(comparison_folder / "random" / "seed-3")
    blinded = read_run(comparison_folder / "random-permuted_letters" / "seed-3")
    assert "control" not in real.config["searcher"]
    assert blinded.config["searcher"]["control"] == "permuted_letters"
    # Random search does not care at all: the same draws under other names, once past the start.
    permutation = Permutation.of_seed("AMS", 3)
    assert [t.pattern for t in blinded.trials()[:4]] == [t.pattern for t in real.trials()[:4]]
    own = [trial.pattern for trial in real.trials()[4:]]
    assert [permutation.show(trial.pattern) for trial in blinded.trials()[4:]] == own


def test_controls_are_paired_and_never_ranked(comparison_folder: Path) -> None:
    analysis = analyze(comparison_folder)
    tables, standing = analysis.tables, analysis.standings
    assert tables.searchers == ["evolution", "random"] and tables.excluded == ()
    found = {each.real: each for each in analysis.letter_controls}
    assert set(found) == {"evolution", "random"}
    for name, each in found.items():
        own = [read_run(comparison_folder / each.control / f"seed-{seed}") for seed in tables.seeds]
        finals = [
            np.mean([event["outcome"]["score"] for event in run.of_kind("final")]) for run in own
        ]
        differences = np.subtract(standing.scores[name], finals)
        assert each.pair.difference.estimate == pytest.approx(differences.mean())
        assert each.pair.difference.low < differences.mean() < each.pair.difference.high
        assert each.pair.p > 0.01  # classical searchers do not care; luck hardly gets that far
    assert in_words(list(found.values())).startswith("0 of 2 searchers did worse")
    assert [each.searcher for each in controls(analysis)] == [
        found[place.searcher].control for place in standing.places
    ]
    figure = draw(analysis)
    assert "true letters less permuted" in figure.axes[0].get_xlabel()
    text = (comparison_folder / "report.md").read_text()
    assert "## Controls: permuted letters" in text and "random-permuted_letters" in text
    assert (comparison_folder / "figures" / "controls.png").exists()
    assert "permuted letters are not ranked" in (comparison_folder / "report.html").read_text()


def as_control(config: Mapping[str, Any]) -> dict[str, Any]:
    searcher = {**config["searcher"], "control": "permuted_letters"}
    return {**config, "searcher": searcher}


def test_a_control_without_its_pair_stands_apart(tmp_path: Path, add_run: Add) -> None:
    """A missing seed, a missing real thing, another budget: never averaged over."""
    for seed in (0, 1):
        add_run(tmp_path, "random", seed)
    alone = [
        add_run(tmp_path / "c", "random", 0),
        add_run(tmp_path / "c", "climber", 1),
        add_run(tmp_path / "d", "climber", 0, amount=9),
    ]
    for path in alone:
        make_control(path)
    tables = read_tables(tmp_path)
    assert tables.controls.empty and tables.searchers == ["random"] and tables.seeds == (0, 1)
    reasons = {(run.searcher, run.seed): run.reason for run in tables.excluded}
    assert len(reasons) == 3
    assert reasons["random (control)", 0] == "a control that lacks seed 1 of its real thing"
    assert "without its real thing" in reasons["climber (control)", 1]
    assert "budget.amount is 9, not 12" in reasons["climber (control)", 0]


def test_controls_move_no_number_of_anybody(tmp_path: Path, add_run: Add) -> None:
    for seed in range(3):
        add_run(tmp_path, "random", seed)
        add_run(tmp_path, "climber", seed, greed=0.9)
    before = write_all(tmp_path, "command", only=("ranking",))
    for seed in range(3):
        make_control(add_run(tmp_path / "c", "climber", seed, greed=0.9))
    after = write_all(tmp_path, "command", only=("ranking",))
    assert list(map(repr, before.table.to_numpy().ravel())) == list(
        map(repr, after.table.to_numpy().ravel())
    )
    assert before.verdict == after.verdict and len(after.analysis.tables.controls) == 3


def make_control(run: Path) -> None:
    """Turn a run that was written into a control of the searcher of its name."""
    header = json.loads((run / "run.json").read_text())
    header["config"] = as_control(header["config"])
    header["config"]["searcher"]["label"] = header["config"]["searcher"]["name"] + " (control)"
    (run / "run.json").write_text(json.dumps(header))
