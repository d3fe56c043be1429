"""Hand-over: one searcher goes on where another ends, on one record and one budget."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nasarena
from fakes import Listing
from nasarena.experiments.commands.cli import main
from nasarena.experiments.commands.one_comparison import run_missing
from nasarena.experiments.comparison.hand_over import HandOver, Part
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.comparison.shared_model import with_model
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.settings.commands import compare_settings, run_settings
from nasarena.experiments.settings.config import CompareConfig
from nasarena.search.budget import Budget
from nasarena.search.run_folder import RunRecord, drop_measurements, read_run
from nasarena.search.trial import Cost, Proposal, Trial

TRIALS = ["proxy=additive", "budget=trials", "budget.amount=20", "name=x"]


def hand_over(first: Any, then: Any, amount: float = 3, bound: int | None = None) -> HandOver:
    parts = Part("first", first, bound), Part("then", then)
    return HandOver(*parts, Budget("trials", 6), amount)


def tell(searcher: HandOver, first: int, proposals: Sequence[Proposal]) -> None:
    searcher.tell([Trial(i, p.pattern, "ok", 1.0) for i, p in enumerate(proposals, start=first)])


def patterns(proposals: Sequence[Proposal]) -> list[str]:
    return [proposal.pattern for proposal in proposals]


def test_the_second_takes_over_when_the_share_is_spent_and_is_told_everything() -> None:
    first, then = Listing(["AA", "AM", "AS", "MA"]), Listing(["SS", "SM"])
    searcher = hand_over(first, then)
    tell(searcher, 0, [Proposal("MM")])  # the initial design
    for index, pattern in enumerate(["AA", "AM"], start=1):
        asked = searcher.ask(1)
        assert asked == [Proposal(pattern, details={"by": "first"})] and then.told == []
        tell(searcher, index, asked)
    assert searcher.ask(1) == [Proposal("SS", details={"by": "then"})]
    assert (
        [trial.pattern for trial in then.told]
        == ["MM", "AA", "AM"]
        == [trial.pattern for trial in first.told]
    )
    tell(searcher, 3, [Proposal("SS")])
    assert patterns(searcher.ask(1)) == ["SM"]
    assert len(first.told) == 3 and len(then.told) == 4


def test_free_trials_spend_nothing_and_parts_of_a_training_their_share() -> None:
    first, then = Listing([f"A{n}" for n in range(20)]), Listing(["SS"])
    searcher = hand_over(first, then, amount=1)
    searcher.tell([Trial(0, "??", "invalid"), Trial(1, "AA", "duplicate", 1.0, duplicate_of=0)])
    half = Trial(2, "AA", "ok", 1.0, cost=Cost(1), fidelity=0.5)
    searcher.tell([half])
    assert patterns(searcher.ask(1)) == ["A0"]
    searcher.tell([replace(half, index=3, fidelity=1.0)])  # the other half of the same training
    assert patterns(searcher.ask(1)) == ["SS"]
    assert [trial.index for trial in then.told] == [0, 1, 3]  # no half-trained score


def test_who_stops_early_hands_over_early() -> None:
    first, then = Listing(["AA"]), Listing(["SS", "SM"])
    searcher = hand_over(first, then, amount=99)
    tell(searcher, 0, searcher.ask(4))
    assert patterns(searcher.ask(1)) == ["SS"] and [t.pattern for t in then.told] == ["AA"]
    first.left = ["MM"]
    assert patterns(searcher.ask(1)) == ["SM"]  # once over, it is never asked again
    assert searcher.ask(1) == []


def test_each_minds_its_own_bound_and_nonsense_goes_through() -> None:
    searcher = hand_over(Listing(list("abcd")), Listing(list("wxyz")), bound=1)
    assert patterns(searcher.ask(4)) == ["a"]
    tell(searcher, 0, [Proposal("AA"), Proposal("AM"), Proposal("AS")])
    assert patterns(searcher.ask(3)) == ["w", "x", "y"]

    class Odd(Listing):
        def ask(self, n: int) -> Any:
            return "AA"

        def recommend(self, k: int) -> list[str]:
            return ["MM"]

    odd = hand_over(Odd([]), Listing([]))
    assert odd.ask(1) == "AA" and odd.recommend(1) == ["MM"]


def search(config: CompareConfig) -> list[RunRecord]:
    comparison = plan_comparison(config, "command")
    console = make_console()
    with with_model(comparison, config, console) as whole:
        assert run_missing(whole, "command", console, 1, False) == []
    return [read_run(cell.path) for cell in comparison.cells]


def run(folder: Path, *arguments: str) -> RunRecord:
    return search(run_settings([*TRIALS, f"folder={folder}", *arguments]))[0]


def by(record: RunRecord) -> list[str]:
    return [trial.details.get("by", "") for trial in record.trials()]


def asked(record: RunRecord) -> list[str]:
    return [trial.pattern for trial in record.trials()]


def test_a_hand_over_begins_as_the_first_alone_on_everybodys_budget(tmp_path: Path) -> None:
    both = run(tmp_path, "searcher=tpe", "then=evolution", "then.share=0.6", "seed=2")
    alone = run(tmp_path, "searcher=tpe", "seed=2", "searcher.options.num_startup=4")
    own = both.config["searcher"]
    assert own["name"] == both.path.parent.name == "tpe-then-evolution"
    assert own["options"]["first"]["name"] == "tpe" and own["options"]["share"] == 0.6
    assert own["options"]["then"]["options"]["population"] == 8  # of the whole budget
    assert by(both) == [""] * 4 + ["tpe"] * 8 + ["evolution"] * 8
    assert own["options"]["first"]["options"]["num_startup"] == 4  # of its own share
    assert asked(both)[:12] == asked(alone)[:12]
    assert [event["spent"] for event in both.of_kind("settled")][-1] == 20


@pytest.mark.parametrize("pair", [("agent-sequential", "evolution"), ("evolution", "agent-greedy")])
@pytest.mark.parametrize("num_lines", [12, 31])
def test_a_hand_over_that_was_cut_off_goes_on_the_same(
    pair: tuple[str, str], num_lines: int, tmp_path: Path
) -> None:
    chosen = [f"searcher={pair[0]}", f"then={pair[1]}"]
    whole = run(tmp_path, *chosen)
    assert by(whole)[:20] == [""] * 4 + [pair[0]] * 6 + [pair[1]] * 10
    assert [bool(t.llm) for t in whole.trials()] == ["agent" in one for one in by(whole)]
    events = whole.path / "events.jsonl"
    lines = events.read_text().splitlines(keepends=True)
    events.write_text("".join(lines[:num_lines]))
    again = run(tmp_path, *chosen)
    assert len(again.events) == len(lines)
    assert without_seconds(again) == without_seconds(whole)


def without_seconds(record: RunRecord) -> list[Any]:
    """The events but for what a clock said, and the hash of a reply, which holds seconds too."""
    events = drop_measurements(record.events)
    for event in events:
        event.pop("reply", None)
        for llm in (event.get("llm"), event.get("trial", {}).get("llm")):
            (llm or {}).pop("seconds", None)
    return events


def test_hand_overs_enter_a_comparison_like_anybody(tmp_path: Path) -> None:
    searchers = (
        "searchers=[random,{name:random,then:evolution},"
        "{name:random,then:{name:evolution,options:{population:5},share:0.25}}]"
    )
    settings = [*TRIALS, f"folder={tmp_path}", searchers, "seeds=2", "references=false"]
    records = search(compare_settings([*settings, "controls=[seeded]"]))
    names = {record.path.parent.name for record in records}
    half = "random-then-evolution-share=0.5-evolution.population=8"
    quarter = "random-then-evolution-share=0.25-evolution.population=5"
    assert names == {"random", half, quarter, "random-seeded"} | {
        name.replace("evolution-share", "evolution-seeded-share") for name in (half, quarter)
    }
    at = {(r.path.parent.name, r.config["loop"]["seed"]): r for r in records}
    assert by(at[quarter, 1])[:7] == [""] * 4 + ["random"] + ["evolution"] * 2
    for name in (half, quarter):
        assert asked(at[name, 1])[:5] == asked(at["random", 1])[:5]


def test_a_recorded_run_is_continued_and_charged_again(tmp_path: Path) -> None:
    old = run(tmp_path, "searcher=agent-sequential", "seed=1")
    before = {file: file.read_bytes() for file in old.path.rglob("*") if file.is_file()}
    chosen = ["then=evolution", f"then.record={old.path}", "then.share=0.4", "seed=1"]
    new = run(tmp_path, *chosen)
    assert {file: file.read_bytes() for file in old.path.rglob("*") if file.is_file()} == before
    who = by(new)
    assert who[:8] == [""] * 4 + ["agent-sequential"] * 4 and set(who[8:]) == {"evolution"}
    for ours, theirs in zip(new.trials()[:8], old.trials()[:8], strict=True):
        details = {key: text for key, text in ours.details.items() if key != "by"}
        assert replace(ours, details=details) == theirs
    assert [event["spent"] for event in new.of_kind("settled")][-1] == 20
    assert new.config["searcher"]["uses_llm"] and "llm" not in new.config  # nobody is asked
    assert new.config["searcher"]["options"]["first"]["options"]["of"] == old.header["config_hash"]
    # The same with a live first searcher: only the configuration says what it was.
    live = run(tmp_path, "searcher=agent-sequential", "then=evolution", "then.share=0.4", "seed=1")
    assert asked(live) == asked(new) and live.path != new.path


def test_a_continued_run_needs_the_old_folder_no_more(tmp_path: Path) -> None:
    old = run(tmp_path / "old", "searcher=random")
    new = run(tmp_path, "then=tpe", f"then.record={old.path}")
    config = json.loads((new.path / "run.json").read_text())["config"]
    assert len(config["searcher"]["options"]["first"]["options"]["asks"]) == 16
    moved = tmp_path / "moved"
    shutil.move(old.path, moved)
    (new.path / "events.jsonl").write_text("")
    again = run(tmp_path, "then=tpe", f"then.record={moved}")
    assert again.path == new.path
    assert drop_measurements(again.events) == drop_measurements(new.events)


def test_functions_take_over_too(tmp_path: Path) -> None:
    def all_mlp(history: Any, space: Any, rng: Any) -> str:
        return str(space.mutate("M" * space.depth, rng, 1 + len(history) % 5))

    settings: dict[str, Any] = {"proxy": "additive", "budget": {"patterns": 12}}
    settings |= {"folder": tmp_path, "progress": False}
    one = nasarena.run("tpe", then={"name": all_mlp, "share": 0.7}, **settings)
    assert one.folder.parent.name == "tpe-then-all_mlp"
    entries = ["random", {"name": all_mlp, "then": "evolution"}]
    many = nasarena.compare(entries, seeds=1, references=False, name="many", **settings)
    assert set(many.runs["searcher"]) == {"random", "all_mlp-then-evolution"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "then=evolutoin"], "no searcher is called 'evolutoin'"),
        (["run", "then=references"], "'references' searches nothing"),
        (["run", "then=tpe", "then.share=1"], "then.share"),
        (["run", "then.share=0.3"], "then.name must say which searcher goes on"),
        (["run", "then=tpe", "then.options.nope=1"], "nope"),
        (["run", "then=tpe", "then.record=RUN", "searcher=random"], "not both"),
        (["run", "then=tpe", "then.record=RUN", "seed=1"], "is of seed 0, not 1; give seed=0"),
        (["run", "then=tpe", "then.record=RUN", "budget.amount=9"], "budget.amount is 20"),
        (["run", "then=tpe", "then.record=nowhere"], "must be the folder of a finished run"),
        (["run", "then=tpe", "then.record=CUT"], "is partial, and only a finished run"),
        (["compare", "searchers=[{then:tpe,name:random,then:{record:RUN,name:tpe}}]"], "one run"),
        (["compare", "then=tpe"], "then= belongs to nasarena run"),
    ],
)
def test_nonsense_ends_in_one_line_and_loses_nothing(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, cut = (run(tmp_path, "searcher=random", f"name={name}") for name in ("whole", "cut"))
    lines = (cut.path / "events.jsonl").read_text().splitlines(keepends=True)
    (cut.path / "events.jsonl").write_text("".join(lines[:9]))
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    capsys.readouterr()
    command, *rest = (
        text.replace("RUN", str(whole.path)).replace("CUT", str(cut.path)) for text in arguments
    )
    if command == "compare":
        rest += ["seeds=1", "references=false"]
    assert main([command, *TRIALS, f"folder={tmp_path}", *rest]) == 2
    said = capsys.readouterr().err.strip()
    assert words in said and "\n" not in said
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
