"""The control of equal knowledge: references told first and charged, refused, reported."""

from pathlib import Path

import pytest

from fakes import Listing
from nasarena.experiments.commands.cli import main
from nasarena.experiments.commands.one_comparison import run_missing
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.comparison.seeded import Seeded, seed_patterns
from nasarena.experiments.comparison.shared_model import with_model
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.settings.commands import compare_settings
from nasarena.figures.comparison import write_all
from nasarena.figures.plots.letter_control import draw_seeded, is_shown
from nasarena.figures.report.controls import controls
from nasarena.figures.results.analysis import analyze
from nasarena.search.run_folder import drop_measurements, find_runs, read_run
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Proposal, Trial

NUM_SEEDS = 7
OWN = "searchers=[random,{name:evolution,options:{population:5,tournament:3}}]"


def arguments(folder: Path, *more: str) -> list[str]:
    return [
        "proxy=additive", f"folder={folder}", "name=x", "budget=trials", "budget.amount=20",
        "references=false", "controls=[seeded]", *more,
    ]  # fmt: skip


def run(folder: Path, *more: str) -> Path:
    comparison = plan_comparison(compare_settings(arguments(folder, *more)), "command")
    assert run_missing(comparison, "command", make_console(), 1, False) == []
    return folder / "x"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = run(tmp_path_factory.mktemp("seeded"), OWN, f"seeds={NUM_SEEDS}")
    write_all(made, "command", only=("seeded",))
    return made


def test_references_are_asked_first_and_all_is_told() -> None:
    inner = Listing(["AM", "MA"])
    searcher = Seeded(inner, ["AA", "MM", "SS"])
    assert searcher.ask(2) == [Proposal("AA", "reference"), Proposal("MM", "reference")]
    assert searcher.ask(2) == [Proposal("SS", "reference")]
    searcher.tell([Trial(0, "AA", "ok", 1.0)])
    assert searcher.ask(2) == ["AM", "MA"] and inner.told == [Trial(0, "AA", "ok", 1.0)]
    assert searcher.recommend is None


def test_every_searcher_has_a_seeded_twin_on_the_same_start(folder: Path) -> None:
    names = {path.parent.name for path in find_runs(folder)}
    assert names == {"random", "random-seeded", "evolution", "evolution-seeded"}
    wanted = seed_patterns(PatternSpace())
    for name in ("random", "evolution"):
        real, seeded = (read_run(folder / one / "seed-3") for one in (name, f"{name}-seeded"))
        assert seeded.config["searcher"]["control"] == "seeded"
        assert "control" not in real.config["searcher"]
        own, told = real.trials(), seeded.trials()
        assert [t.pattern for t in told[:4]] == [t.pattern for t in own[:4]]
        assert [t.pattern for t in told[4 : 4 + len(wanted)]] == wanted
        assert all(t.provenance == "reference" and not t.details for t in told[4:12])
        assert len(told) == len(own) == 20  # told patterns are paid for, so fewer are its own
        assert all(event["spent"] for event in seeded.of_kind("settled"))
        # Random search goes on as it would have begun; evolution has learned something.
        assert ([t.pattern for t in told[12:]] == [t.pattern for t in own[4:12]]) == (
            name == "random"
        )


def test_a_seeded_run_that_was_cut_off_goes_on_as_if_nothing_had_happened(
    folder: Path, tmp_path: Path
) -> None:
    again = run(tmp_path, OWN, "seeds=1")
    whole = read_run(again / "evolution-seeded" / "seed-0")
    events = whole.path / "events.jsonl"
    lines = events.read_text().splitlines(keepends=True)
    events.write_text("".join(lines[:19]))  # in the middle of the references
    run(tmp_path, OWN, "seeds=1")
    resumed = read_run(whole.path)
    assert drop_measurements(resumed.events) == drop_measurements(whole.events)
    assert len(resumed.events) == len(lines)
    first = read_run(folder / "evolution-seeded" / "seed-0")
    assert drop_measurements(first.events) == drop_measurements(whole.events)


def test_seeded_searchers_are_paired_shown_and_never_ranked(folder: Path) -> None:
    analysis = analyze(folder)
    assert analysis.tables.searchers == ["evolution", "random"] and not is_shown(analysis)
    assert analysis.letter_controls == []
    assert {each.real for each in analysis.seeded_controls} == {"evolution", "random"}
    assert all(len(each.seeds) == NUM_SEEDS for each in analysis.seeded_controls)
    assert {each.control for each in controls(analysis)} == {"seeded"}
    assert "as it is less seeded" in draw_seeded(analysis).axes[0].get_xlabel()
    report = (folder / "report.md").read_text()
    assert "## Controls: seeded" in report and "permuted" not in report
    assert "hand-made patterns told first" in (folder / "report.html").read_text()


def test_an_agent_is_held_against_the_seeded_twins_of_the_others(tmp_path: Path) -> None:
    settings = arguments(tmp_path, "searchers=[random,agent-sequential]", "seeds=2")
    config = compare_settings(settings)
    with with_model(plan_comparison(config, "command"), config, make_console()) as comparison:
        assert run_missing(comparison, "command", make_console(), 1, False) == []
    analysis = analyze(tmp_path / "x")
    (pair,) = analysis.agents_against_seeded
    assert (pair.first, pair.second) == ("agent-sequential", "random-seeded")
    (twin,) = (each for each in analysis.seeded_controls if each.real == "random")
    scores = zip(analysis.standings.scores["agent-sequential"], twin.seeds, strict=True)
    differences = [own - seeded for own, (_, _, seeded) in scores]
    assert pair.difference.estimate == pytest.approx(sum(differences) / 2)
    write_all(tmp_path / "x", "command", only=("ranking",))
    assert "- agent-sequential less random-seeded: " in (tmp_path / "x" / "report.md").read_text()
    assert "agent-sequential less random-seeded" in (tmp_path / "x" / "report.html").read_text()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["budget.amount=12"], "control seeded needs a budget beyond 4 patterns of the initial"),
        (["space.alphabet=XYZ"], "6 letters from XYZ spell none"),
        (["searchers=[references]"], "'references' searches nothing"),
        (["controls=[seedy]"], "controls"),
    ],
)
def test_nonsense_ends_in_one_line(
    more: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = arguments(tmp_path, "searchers=[random]", "seeds=1", *more)
    if "XYZ" in words:
        settings.append("space.depth=6")
    assert main(["compare", *settings]) == 2
    said = capsys.readouterr().err.strip()
    assert words in said and "\n" not in said
    assert not (tmp_path / "x").exists()
