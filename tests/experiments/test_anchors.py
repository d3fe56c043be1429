"""Orders published at scale: read from files, trained alike, judged by hand-worked numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from nasarena.experiments.audit.anchors import (
    PUBLISHED,
    PublishedComparison,
    anchor_levels,
    load_comparisons,
)
from nasarena.experiments.commands.cli import main
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.settings.choices import choose_proxy
from nasarena.figures.audit.anchors import (
    JudgedOrder,
    PublishedOrder,
    judge_orders,
    summarize_orders,
)
from nasarena.search.space import PatternSpace

SPACE = PatternSpace("AMS", 16)


def comparison(better: str = "lower", **values: float) -> dict[str, Any]:
    patterns = {"llama": "AMAMAMAMAMAMAMAM", "block": "8A 8M", "mamba": "16S"}
    return {
        "name": "made up",
        "source": "nowhere",
        "size": "1B",
        "matched": "parameters",
        "value": "loss",
        "better": better,
        "gap": 0.02,
        "patterns": {
            name: {"pattern": patterns[name], "value": value} for name, value in values.items()
        },
    }


def write(file: Path, *comparisons: dict[str, Any]) -> Path:
    file.write_text(yaml.safe_dump({"comparisons": list(comparisons)}))
    return file


def test_an_order_needs_the_gap_and_goes_the_right_way(tmp_path: Path) -> None:
    values = {"llama": 2.80, "block": 2.79, "mamba": 2.77}
    file = write(tmp_path / "a.yaml", comparison(**values), comparison("higher", **values))
    lower, higher = load_comparisons(file, SPACE)
    # The two that are 0.01 apart have no order.
    assert set(lower.orders()) == {("mamba", "llama"), ("mamba", "block")}
    assert set(higher.orders()) == {("llama", "mamba"), ("block", "mamba")}
    assert lower.patterns["block"].pattern == "AAAAAAAAMMMMMMMM"


def test_what_ships_is_of_the_space_and_has_sources() -> None:
    found = load_comparisons(PUBLISHED, SPACE)
    assert len(found) >= 4 and all("arXiv" in one.source and one.orders() for one in found)
    (composer,) = (one for one in found if one.name == "Composer")
    assert ("sandwich", "1:2 striped") in composer.orders()
    assert ("1:2 striped", "Llama 3.2") not in composer.orders()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda one: one["patterns"]["llama"].update(pattern="AX" * 8), "got 'X' at position 2"),
        (lambda one: one["patterns"]["llama"].update(pattern="AMS"), "must have 16 letters"),
        (lambda one: one["patterns"]["llama"].update(value="low"), "value"),
        (lambda one: one.update(gap=0), "gap must be positive"),
        (lambda one: one.update(better="best"), "better"),
        (lambda one: one.update(sourse="here"), "sourse"),
        (lambda one: one.pop("patterns"), "patterns"),
    ],
)
def test_a_wrong_file_is_one_line(
    change: Any, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = comparison(llama=2.8, mamba=2.7)
    change(wrong)
    file = write(tmp_path / "wrong.yaml", wrong)
    assert main(["audit", "proxy=additive", f"anchors={file}", f"folder={tmp_path}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line and not (tmp_path / "additive").exists()


@pytest.mark.parametrize("text", ["", "comparisons: 3", "[", "comparisons: {a: 1}"])
def test_no_file_of_comparisons_is_one_line(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "anchors.yaml"
    file.write_text(text)
    for name in (file, tmp_path / "missing.yaml"):
        assert main(["audit", "proxy=additive", f"anchors={name}", f"folder={tmp_path}"]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_equal_flops_are_equal_up_to_a_step() -> None:
    (one,) = load_comparisons_of(comparison(llama=2.8, block=2.7, mamba=2.6))
    proxy = choose_proxy("quick", {})
    depth, flops = anchor_levels([one], proxy, SPACE, [0, 1])
    assert depth.matching == "depth" and depth.levels[0].proxy == proxy
    costs, steps = [], []
    for level in flops.levels:
        (pattern,) = level.patterns
        costs.append(build_proxy(level.proxy, SPACE, cache=False).cost(pattern).flops)
        steps.append(level.proxy.options["train"]["steps"])
    assert steps[0] == 60 and len(set(steps)) > 1
    assert costs == pytest.approx([costs[0]] * 3, rel=1 / 50)
    (alone,) = anchor_levels([one], choose_proxy("additive", {}), SPACE, [0])
    assert alone.matching == "depth"  # nothing is trained there


def load_comparisons_of(content: dict[str, Any]) -> list[PublishedComparison]:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        return load_comparisons(write(Path(folder) / "a.yaml", content), SPACE)


def test_orders_are_judged_by_the_noise_of_all() -> None:
    """Two patterns x two seeds with residuals of 0.1: variance 4 x 0.01 / 1, one freedom."""
    scores = {("c", "depth"): {"good": [1.1, 0.9], "bad": [-0.1, 0.1]}}
    (judged,) = judge_orders([PublishedOrder("c", "depth", "good", "bad")], scores)
    assert judged.difference == pytest.approx(1.0)
    width = 12.7062 * np.sqrt(2 * 0.04 / 2)  # t of one freedom, 97.5 %
    assert (judged.low, judged.high) == pytest.approx((1 - width, 1 + width), rel=1e-4)
    assert judged.verdict == "undecided"


def test_exact_scores_need_no_interval() -> None:
    scores = {("c", "depth"): {"good": [1.0], "bad": [0.0], "gone": [float("nan")]}}
    orders = [
        PublishedOrder("c", "depth", better, worse)
        for better, worse in (("good", "bad"), ("bad", "good"), ("good", "gone"))
    ]
    verdicts = [one.verdict for one in judge_orders(orders, scores)]
    assert verdicts == ["reproduced", "reversed", "undecided"]


def test_the_summary_counts_and_bounds_the_share() -> None:
    order = PublishedOrder("c", "depth", "a", "b")
    judged = [JudgedOrder(order, 1.0, 0.5, 1.5)] * 3 + [JudgedOrder(order, -1.0, -1.5, -0.5)]
    (found,) = summarize_orders(judged)
    assert (found.orders, found.agreeing, found.reproduced, found.reversed) == (4, 3, 3, 1)
    assert (found.low, found.high) == pytest.approx((0.1941, 0.9937), abs=1e-4)  # tables: 3 of 4


def test_the_command_writes_what_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["proxy=additive", "proxy.noise=0", "anchors=published", "seeds=2", "workers=1"]
    assert main(["audit", *arguments, f"folder={tmp_path}"]) == 0
    said = capsys.readouterr().out
    record = json.loads((tmp_path / "additive" / "anchors.json").read_text())
    (summary,) = record["summary"]
    assert f"{summary['agreeing']} of {summary['orders']} published orders" in said
    proxy = build_proxy(choose_proxy("additive", {"noise": 0}), SPACE, cache=False)
    (composer,) = (one for one in load_comparisons(PUBLISHED, SPACE) if one.name == "Composer")
    known = {
        name: proxy.true_score(one.pattern)  # type: ignore[attr-defined]
        for name, one in composer.patterns.items()
    }
    for row in record["orders"]:
        if row["order"]["comparison"] == "Composer":
            expected = known[row["order"]["better"]] - known[row["order"]["worse"]]
            assert row["difference"] == pytest.approx(expected)
    assert (
        "| Composer | depth | sandwich | Llama 3.2 |"
        in (tmp_path / "additive" / "anchors.md").read_text()
    )
