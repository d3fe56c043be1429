"""A comparison over several landscapes: what it runs, what it concludes, what it refuses."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nasarena.experiments.audit.anchors import PUBLISHED, load_comparisons
from nasarena.experiments.commands.cli import main
from nasarena.experiments.comparison.suite import configs_of_landscapes
from nasarena.experiments.measure.compare import count_distinguishable
from nasarena.experiments.patternbench.difficulty import expected_regrets
from nasarena.experiments.settings.commands import compare_settings
from nasarena.figures.side_by_side import draw, panel_of
from nasarena.figures.suite.results import read_suite
from nasarena.figures.suite.verdict import verdict
from nasarena.proxies.patternbench.benchmark import DATA, PatternBench
from nasarena.proxies.patternbench.landscape_facts import FACTS, LandscapeFacts, read_facts
from nasarena.search.errors import ProxyFailed
from nasarena.search.run_folder import find_runs, read_run
from nasarena.search.space import PatternSpace

BASE = ["compare", "proxy=suite", "proxy.retrained=[]", "seeds=2", "budget.patterns=24", "name=s"]


def landscape(folder: Path, change: Callable[[dict[str, object]], object] = id) -> Path:
    """A copy of the shipped landscape, its facts changed."""
    shutil.copytree(DATA, folder)
    facts = json.loads((folder / FACTS).read_text())
    change(facts)
    (folder / FACTS).write_text(json.dumps(facts))
    return folder


def double(facts: dict[str, object]) -> None:
    regrets = facts["random_regret"]
    assert isinstance(regrets, dict)
    facts["random_regret"] = {draws: 2 * regret for draws, regret in regrets.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two searchers on a landscape, and on its twin whose unit of regret is twice as large."""
    root = tmp_path_factory.mktemp("suite")
    one, two = landscape(root / "one"), landscape(root / "two", double)
    command = [*BASE, f"proxy.landscapes=[{one},{two}]", f"folder={root}"]
    assert main([*command, "searchers=[random,local-search]"]) == 0
    return root / "s"


def test_every_landscape_has_a_comparison_of_its_own(folder: Path) -> None:
    assert {path.relative_to(folder).parts[0] for path in find_runs(folder)} == {"one", "two"}
    for name in ("one", "two"):
        assert (folder / name / "report.md").is_file()
        config = read_run(folder / name / "random" / "seed-1").config
        assert config["budget"]["amount"] > 0 and "final_proxy" not in config
        assert json.loads((folder / name / "benchmark.json").read_text())["ranks"] is None


def test_regret_is_counted_in_each_landscape_s_own_unit(folder: Path) -> None:
    results = read_suite(folder)
    for regrets in results.regrets.values():
        assert regrets.shape == (2, 2) and (regrets > 0).all()
        assert regrets[:, 0] == pytest.approx(2 * regrets[:, 1])
    first = results.landscapes[0]
    exact = first.analysis.exact
    assert exact is not None
    unit = first.difficulty.random_regret
    expected = np.array(exact.deciding_regrets["random"]) / unit
    assert results.regrets["random"][:, 0] == pytest.approx(expected)
    table = pd.read_csv(folder / "table.csv")
    own = table[(table["landscape"] == "one") & (table["name"] == "random")].iloc[0]
    assert own["exact_regret"] == pytest.approx(own["regret"] * unit, rel=1e-4)


def test_the_page_shows_landscapes_and_runs_no_script(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    assert "<script" not in page and "script-src" not in page and ">nan<" not in page
    for words in ("4 blocks", "one/report.md", "local-search", "How hard the landscapes are"):
        assert words in page
    assert {file.stem for file in (folder / "figures").glob("*.png")} == {
        "ranking", "landscapes", "anytime",
    }  # fmt: skip


def test_seeds_that_can_show_nothing_on_one_landscape_are_said_to_be_too_few(folder: Path) -> None:
    found = [sentence for sentence in verdict(read_suite(folder)) if "alone" in sentence]
    assert len(found) == 1 and "2 seeds cannot show a difference" in found[0]
    assert "the smallest possible p against random search is 0.5" in found[0]


def test_drawing_again_gives_the_same_bytes(folder: Path) -> None:
    assert main(["figures", str(folder)]) == 0
    before = {file: file.read_bytes() for file in sorted((folder / "figures").iterdir())}
    page, table = (folder / "report.html").read_bytes(), (folder / "table.csv").read_bytes()
    assert main(["figures", "--check", str(folder)]) == 0
    assert main(["figures", str(folder)]) == 0
    assert {file: file.read_bytes() for file in sorted((folder / "figures").iterdir())} == before
    assert (folder / "report.html").read_bytes() == page
    assert (folder / "table.csv").read_bytes() == table


def test_it_stands_beside_other_comparisons_against_random_search(folder: Path) -> None:
    panel = panel_of(folder)
    (pair,) = panel.pairs
    regrets = read_suite(folder).regrets
    expected = regrets["random"].mean() - regrets["local-search"].mean()
    assert pair.first == "local-search"
    assert pair.difference.estimate == pytest.approx(expected)
    assert "regret below random search's" in draw([panel]).axes[0].get_xlabel()


def test_who_is_distinguishable_from_random_search_is_counted(folder: Path) -> None:
    counted = count_distinguishable(folder.parent)
    assert counted["blocks"] == 4 and set(counted["distinguishable_on"]) == {"one", "two"}
    verdicts = read_suite(folder).against["random"]
    assert counted["distinguishable"] == sum(pair.p_holm < 0.05 for pair in verdicts)
    assert count_distinguishable(folder) == {}


def test_a_searcher_that_joins_moves_nobody(folder: Path, tmp_path: Path) -> None:
    root = folder.parent
    shutil.copytree(folder, tmp_path / "s")
    command = [*BASE, f"proxy.landscapes=[{root / 'one'},{root / 'two'}]", f"folder={tmp_path}"]
    assert main([*command, "searchers=[evolution]"]) == 0
    before, after = pd.read_csv(folder / "table.csv"), pd.read_csv(tmp_path / "s" / "table.csv")
    assert set(after["name"]) == {"random", "local-search", "evolution"}
    about_the_set = ["rank", "p_vs_random"]
    kept = after[after["name"] != "evolution"].drop(columns=about_the_set)
    key = ["landscape", "name"]
    assert (
        kept.set_index(key)
        .sort_index()
        .equals(before.drop(columns=about_the_set).set_index(key).sort_index())
    )


def test_a_number_of_trials_is_the_same_on_every_landscape() -> None:
    words = ["proxy=suite", "proxy.landscapes=[quick]", "budget.unit=trials", "budget.amount=30"]
    (config,) = configs_of_landscapes(compare_settings(words)).values()
    assert (config.budget.unit, config.budget.amount) == ("trials", 30)


def forget_facts(folder: Path) -> None:
    (folder / FACTS).unlink()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["proxy.landscapes=[nowhere]"], "no landscape is called 'nowhere'"),
        (["proxy.landscapes=[./gone]"], "there is no folder './gone'"),
        (["proxy.landscapes=[quick,quick]"], "two landscapes have the same name"),
        (["proxy.landscapes=[]"], "landscapes"),
        (
            ["budget.amount=1e12", "budget.patterns=null"],
            "would buy another number",
        ),
        (["space=AM"], "for a part of that space give proxy=patternbench"),
        (["loop.finalists=25"], "finalists must be at most the 24 patterns"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_a_line(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*BASE, f"folder={tmp_path}", "searchers=[random]", *arguments]) == 2
    message = capsys.readouterr().err
    assert words in message and message.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_landscapes_that_cannot_be_judged_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = landscape(tmp_path / "bare")
    forget_facts(bare)
    flat = landscape(tmp_path / "flat", lambda facts: facts.update(elite_icc=None))
    old = landscape(tmp_path / "old", lambda facts: facts.update(version=0))
    other = landscape(tmp_path / "other", lambda facts: facts.update(files="another"))
    for path, words in (
        (bare, "does not say how hard it is"),
        (flat, "has no elite part"),
        (old, "another version"),
        (other, "another version of the rows"),
    ):
        assert main([*BASE, f"proxy.landscapes=[{path}]", f"folder={tmp_path / 'runs'}"]) == 2
        message = capsys.readouterr().err
        assert words in message and message.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", [["run"], ["evaluate", "8A8M"], ["audit"]])
def test_only_a_comparison_takes_a_suite(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "proxy=suite"]) == 2
    assert "which only nasarena compare takes" in capsys.readouterr().err


def test_a_manifest_of_another_version_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder, tmp_path / "s")
    manifest = tmp_path / "s" / "suite.json"
    for text in ('{"version": 2, "landscapes": ["one"], "command": ""}', "{", '{"version": 1}'):
        manifest.write_text(text)
        assert main(["report", str(tmp_path / "s")]) == 2
        message = capsys.readouterr().err
        assert "suite" in message and message.count("\n") == 1


def test_the_expected_regret_of_random_draws_is_that_of_counting() -> None:
    scores = np.array([0, 1, 1, 3], dtype=np.float32)
    found = expected_regrets(scores, 3.0)
    assert found["1"] == pytest.approx((3 + 2 + 2 + 0) / 4)
    pairs = [min(3 - a, 3 - b) for a in scores for b in scores]
    assert found["2"] == pytest.approx(np.mean(pairs))
    assert list(found)[-1] == "16384" and found["16384"] == pytest.approx(0, abs=1e-9)


def test_the_regret_of_random_lies_between_the_powers_of_two() -> None:
    facts = LandscapeFacts("", 0.0, 0.0, 0.0, None, None, 0, 0, 0, 0, {1: 4.0, 4: 2.0, 16: 1.0})
    assert facts.regret_of_random(4) == 2.0 and facts.regret_of_random(1) == 4.0
    assert facts.regret_of_random(8) == pytest.approx(1.5)
    assert facts.regret_of_random(1000) == 1.0


def test_what_ships_is_what_its_files_say() -> None:
    bench = PatternBench("patternbench", PatternSpace(), DATA)
    facts = read_facts(DATA, bench.files)
    assert facts is not None
    pattern, score = bench.truth.optimum
    assert (facts.optimum, facts.best) == (pattern, score)
    within = float(np.mean(bench.truth.all_scores >= score - bench.spread(pattern)))
    assert facts.share_within_noise == pytest.approx(within)
    draws = np.random.default_rng(0).choice(bench.truth.all_scores, (4096, 64)).max(axis=1)
    assert facts.regret_of_random(64) == pytest.approx(score - draws.mean(), rel=0.03)
    differences = [
        bench.true_score(one.patterns[better].pattern)
        - bench.true_score(one.patterns[worse].pattern)
        for one in load_comparisons(PUBLISHED, bench.space)
        for better, worse in one.orders()
    ]
    assert (facts.orders, facts.orders_agreeing) == (15, sum(each > 0 for each in differences))
    with pytest.raises(ProxyFailed, match="another version"):
        read_facts(DATA, "of other files")
