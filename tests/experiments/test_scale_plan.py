"""What a grid consists of: patterns by their names, sizes, and the presets that ship."""

from pathlib import Path

import pytest

from nasarena.baselines.references import REFERENCES
from nasarena.experiments.commands.cli import main
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.grid import scores
from nasarena.experiments.grid.cells import Grid, make_grid
from nasarena.experiments.grid.patterns import draw_deciles, make_patterns
from nasarena.experiments.grid.scores import score_table
from nasarena.experiments.grid.sizes import make_sizes
from nasarena.experiments.settings.choices import ProxyConfig
from nasarena.experiments.settings.commands import evaluate_settings, scale_settings
from nasarena.experiments.settings.overrides import choices_of
from nasarena.experiments.settings.scale_settings import LawSettings
from nasarena.proxies.scaled.scaled_settings import ScaledSettings
from nasarena.search.errors import NasArenaError
from nasarena.search.proxy import Proxy, TrialSeed
from nasarena.search.space import PatternSpace

# 60 steps of 8 sequences of 32 bytes at width 32: a forward pass is two FLOPs a weight and for
# attention 4 x length x width, a step three passes; attention and MLP in turn.
QUICK = 60 * 8 * 32 * 3 * (2 * (8 * 12 * 32**2 + 256 * 32) + 8 * 4 * 32 * 32)


def test_patterns_come_by_letters_names_and_draws_each_once() -> None:
    config = scale_settings(patterns=["8M8A", "references", "AM" * 8], random=3)
    found = make_patterns(config)
    assert list(found)[0] == "8M8A" and found["8M8A"] == "M" * 8 + "A" * 8
    # Two more of the list are references; what was drawn comes last.
    assert list(found)[1:-3] == [reference.name for reference in REFERENCES]
    assert list(found)[-3:] == ["random 1", "random 2", "random 3"]
    assert make_patterns(scale_settings(patterns=[], random=2)) == {
        name: found[name] for name in ("random 1", "random 2")
    }


def test_aggregates_come_from_the_table_of_all_winners(tmp_path: Path) -> None:
    table = tmp_path / "aggregate.csv"
    table.write_text(
        "group,rule,pattern\ntogether,best single,AMS\ntogether,Composer N0,AMM\n"
        "together,Composer N1,AMS\nagentic,best single,SSS\n"
    )
    config = scale_settings(patterns=[], aggregates=[str(tmp_path)])
    assert make_patterns(config) == {"best single": "AMS", "Composer N0": "AMM"}
    other = tmp_path / "other"
    other.mkdir()
    (other / "aggregate.csv").write_text("group,rule,pattern\ntogether,best single,MMM\n")
    both = make_patterns(scale_settings(patterns=[], aggregates=[str(tmp_path), str(other)]))
    assert both["best single (2)"] == "MMM"
    table.write_text("rule,pattern\nbest single,AMS\n")
    with pytest.raises(NasArenaError, match="no table of nasarena aggregate"):
        make_patterns(config)


def test_deciles_are_the_best_and_worst_of_the_true_scores() -> None:
    space = PatternSpace("AMS", 16)
    found = dict(draw_deciles("additive", space, 3, draw=0))
    assert list(found) == [f"{end} decile {i}" for end in ("best", "worst") for i in (1, 2, 3)]
    table = score_table(["additive"], found).splitlines()[1:]
    scores = [float(line.rpartition(",")[2]) for line in table]
    # True scores have mean 0 and standard deviation 1, so a normal decile begins at 1.28.
    assert min(scores[:3]) > 1.1 and max(scores[3:]) < -1.1
    assert dict(draw_deciles("additive", space, 3, draw=1)) != found


def test_scores_leave_out_what_a_landscape_cannot_spell() -> None:
    table = score_table(["patternbench-quick"], {"short": "AMS", "long": "AM" * 8})
    assert [line.split(",")[:2] for line in table.splitlines()] == [
        ["label", "scorer"], ["long", "patternbench-quick"],
    ]  # fmt: skip


def test_a_trained_proxy_scores_by_the_mean_of_two_trainings() -> None:
    pattern = "SM" * 8
    proxy = build_proxy(evaluate_settings(proxy="quick").proxy, PatternSpace(), False)
    alone = [proxy.evaluate([pattern], [TrialSeed(seed)], "search")[0].score for seed in (0, 1)]
    assert alone[0] is not None and alone[1] is not None and alone[0] != alone[1]
    (line,) = score_table(["quick"], {"one": pattern}).splitlines()[1:]
    assert line.startswith("one,quick,")
    assert float(line.rpartition(",")[2]) == pytest.approx((alone[0] + alone[1]) / 2, rel=1e-6)


def test_a_trained_proxy_has_the_settings_of_its_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[ProxyConfig] = []

    def record(config: ProxyConfig, *_: object) -> Proxy:
        asked.append(config)
        return build_proxy(evaluate_settings(proxy="additive").proxy, PatternSpace(), False)

    monkeypatch.setattr(scores, "build_proxy", record)
    score_table(["modern"], {"one": "M" * 16})
    assert asked == [evaluate_settings(proxy="modern").proxy]
    assert asked[0].settings != evaluate_settings(proxy="quick").proxy.settings


def test_rate_and_batch_follow_the_power_law() -> None:
    law = LawSettings(parameters=106_496, rate_power=-0.5, batch_power=0.5)
    train = ScaledSettings(batch_size=8, learning_rate=0.01, micro_batch=4)
    quick, wide = make_sizes(["w32", "w64"], 256, train, law)
    assert (quick.train.learning_rate, quick.train.batch_size) == (0.01, 8)
    # 409,600 are 3.846 times the parameters: the root is 1.961; 15.7 sequences are 4 parts of 4.
    assert wide.parameters == 409_600
    assert (wide.train.learning_rate, wide.train.batch_size) == (0.0051, 16)


def test_published_sizes_take_the_vocabulary_of_the_text_and_stretched_patterns() -> None:
    config = scale_settings(
        patterns=["2A5M2A3M1A3M"], sizes=["1B"], extrapolate="stretch", budgets=[1e6],
        law={"batch_power": 0.0},
    )  # fmt: skip
    (cell,) = make_grid(config).cells
    assert cell.pattern == "A" * 4 + "M" * 9 + "A" * 4 + "M" * 5 + "A" * 2 + "M" * 5
    assert cell.size.shape.vocab_size == 256 and cell.size.shape.width == 2048


def preset(name: str) -> Grid:
    return make_grid(scale_settings([f"preset={name}"]))


def test_the_ladder_is_what_the_study_asks_for() -> None:
    grid = preset("ladder")
    assert len(grid.patterns) >= 24 and len(grid.sizes) >= 4
    assert len(grid.cells) == len(grid.patterns) * len(grid.sizes) * 2
    last = [cell for cell in grid.cells if cell.size == grid.sizes[-1]]
    assert min(cell.flops(cell.tokens[-1]) for cell in last) >= 20 * QUICK
    assert grid.sizes[-1].parameters >= 4 * (8 * 12 * 32**2 + 256 * 32)
    assert len({(cell.size.name, *cell.tokens) for cell in grid.cells}) == len(grid.sizes)


def test_isoflop_has_six_patterns_five_sizes_and_budgets_far_apart() -> None:
    grid = preset("isoflop")
    assert len(grid.patterns) == 6 and len(grid.sizes) == 5
    for cell in grid.cells:
        flops = [cell.flops(tokens) for tokens in cell.tokens]
        assert len(flops) == 5 and flops[-1] / flops[0] >= 30
    smallest = [cell.flops(cell.tokens[0]) for cell in grid.cells]
    assert max(smallest) / min(smallest) < 1.05  # one budget, whatever the pattern and the size


def test_isotoken_has_equal_tokens_and_three_seeds_or_more() -> None:
    grid = preset("isotoken")
    assert len({tuple(cell.tokens) for cell in grid.cells}) == 1
    assert len({cell.seed for cell in grid.cells}) >= 3


def test_help_explains_every_setting_and_preset(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scale", "--help"]) == 0
    said = capsys.readouterr().out
    for word in ("train.learning_rate", "law.rate_power", "data.length", "sweep", "aggregates"):
        assert f"{word}=" in said
    assert choices_of("preset") == ["isoflop", "isotoken", "ladder", "small"]
    assert all(f"preset={name}" in said for name in choices_of("preset"))
