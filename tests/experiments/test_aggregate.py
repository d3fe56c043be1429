"""`nasarena aggregate`: from run folders to the tables, and each bad input in one line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nasarena.experiments.commands.cli import main
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.scaling.aggregate import BEST
from nasarena.experiments.scaling.winners import make_pool, read_winners
from nasarena.experiments.scaling.worth import estimate_worth
from nasarena.proxies.landscape import Landscape

SEARCHERS = "searchers=[random,evolution,local-search]"
SMALL = [
    "compare", "seeds=2", "budget.patterns=14",
    "loop.final_replicates=2", "report=false", "references=false", "workers=1",
]  # fmt: skip
# A proxy that knows no truth, and whose score is the share of A.
FILE = """
from nasarena.search.proxy import Abilities, TrialSeed
from nasarena.search.seeding import stream
from nasarena.search.trial import Cost, Outcome

class Share:
    name, metric, direction, version = "share", "value", "max", "1"
    score_range, has_fidelities, abilities = (-9.0, 9.0), False, Abilities()
    def __init__(self, space): self.space = space
    def cost(self, pattern): return Cost(1, 1, 1.0)
    def evaluate(self, patterns, seeds, split="search"):
        def score(p, s):
            return p.count("A") / len(p) + 0.1 * stream(s.run, p, s.replicate, split).normal()
        scores = [float(score(p, s)) for p, s in zip(patterns, seeds)]
        return [Outcome("ok", s, Cost(1, 1, 1.0), {"value": s}) for s in scores]

def share(space): return Share(space)
"""


def compare(root: Path, name: str, *changes: str, proxy: str = "proxy=additive") -> Path:
    noise = ["proxy.noise=0.3"] if proxy == "proxy=additive" else []
    given = [SEARCHERS, "space.depth=6", f"folder={root}", f"name={name}", proxy, *noise]
    assert main([*SMALL, *given, *changes]) == 0
    return root / name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compare(tmp_path_factory.mktemp("aggregate"), "small")


@pytest.fixture(scope="module")
def unknown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison on a proxy without an exact optimum."""
    root = tmp_path_factory.mktemp("unknown")
    (root / "share.py").write_text(FILE)
    return compare(root, "share", proxy=f"proxy={root / 'share.py'}:share")


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a refused command says, in one line."""
    capsys.readouterr()
    assert main(["aggregate", *map(str, arguments)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_every_rule_is_scored_and_judged_exactly(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["aggregate", str(folder), "workers=1", f"out={out}", "resamples=20"]) == 0
    table = pd.read_csv(out / "aggregate.csv")
    assert len(table) == 9 and set(table["group"]) == {"together"}
    winners = read_winners([folder])
    proxy = build_proxy(winners.proxy, winners.space, True)
    assert isinstance(proxy, Landscape)
    regrets = [proxy.regret(pattern) for pattern in table["pattern"]]
    assert table["regret"].to_numpy() == pytest.approx(regrets)
    assert (table["low"] <= table["high"]).all() and (table["low"] >= 0).all()
    best = table[table["rule"] == BEST].iloc[0]
    assert table["gain"].to_numpy() == pytest.approx(best["regret"] - table["regret"].to_numpy())
    # Twenty seeds with noise 0.3, the same for every rule: the score is about the true one.
    truth = proxy.optimum()[1] - table["regret"]
    assert (np.abs(table["score"] - truth) < 4 * 0.3 / 20**0.5).all()
    twins = table.groupby("pattern")["score"].nunique()
    assert (twins == 1).all()
    said = capsys.readouterr().out
    page = (out / "aggregate.md").read_text()
    assert "together: " in said
    assert "3 searchers are too few" in said or "no rule is better" in said
    for words in (
        "Composer N_all",
        "fresh seeds of additive",
        "| 1B | stack |",
        "nasarena aggregate",
    ):
        assert words in page
    assert "nan" not in page


def test_the_best_single_is_the_finalist_of_highest_held_out_score(folder: Path) -> None:
    winners = read_winners([folder])
    assert (len(winners.runs), winners.searchers) == (6, ["evolution", "local-search", "random"])
    scores: dict[str, list[float]] = {}
    for file in sorted(folder.glob("*/seed-*/events.jsonl")):
        events = [json.loads(line) for line in file.read_text().splitlines()]
        (chosen,) = [event for event in events if event["event"] == "chosen"]
        for event in events:
            if event["event"] == "final" and event["pattern"] in chosen["finalists"]:
                scores.setdefault(event["pattern"], []).append(event["outcome"]["score"])
    means = {pattern: float(np.mean(own)) for pattern, own in scores.items()}
    pool = make_pool(winners.space, winners.runs)
    assert dict(zip(pool.patterns, pool.scores_N.tolist(), strict=True)) == pytest.approx(means)
    assert pool.patterns[0] == max(means, key=lambda pattern: means[pattern])


def test_without_a_truth_scores_decide_and_a_model_answers_for_resamples(
    unknown: Path, tmp_path: Path
) -> None:
    command = ["aggregate", str(unknown), "workers=1", f"out={tmp_path}", "seeds=3", "sizes=[]"]
    assert main(command) == 0
    table = pd.read_csv(tmp_path / "aggregate.csv")
    assert table["regret"].isna().all() and (table["num_scores"] == 3).all()
    assert "posterior mean" in (tmp_path / "aggregate.md").read_text()
    assert "at scale" not in (tmp_path / "aggregate.md").read_text()
    # Scores tell A from the others well enough for the whole space's best.
    assert table.set_index("rule").loc["model optimum", "pattern"].count("A") >= 5


def test_a_lucky_finalist_is_worth_less_than_its_own_score(unknown: Path) -> None:
    winners = read_winners([unknown])
    pool = make_pool(winners.space, winners.runs)
    first, second, last = pool.patterns[0], pool.patterns[1], pool.patterns[-1]
    fresh = {first: np.array([7.0, 8.0]), second: np.array([np.nan, np.nan])}
    worth = estimate_worth(winners, fresh, num_resamples=30)
    assert worth.estimate(first) == 7.5  # scored afresh
    assert worth.estimate(second) < pool.scores_N[1]
    assert worth.estimate(last) > pool.scores_N[-1]
    assert (worth.repeats(last) == worth.estimate(last)).all()


def test_fresh_seeds_are_drawn_again_in_pairs(unknown: Path) -> None:
    """Differences of two patterns that are shifted by one and the same number do not vary."""
    winners = read_winners([unknown])
    scores = np.array([1.0, 2.0, 4.0, 9.0])
    fresh = {"AAAAAA": scores, "MMMMMM": scores + 0.5, "SSSSSS": scores[::-1]}
    worth = estimate_worth(winners, fresh, num_resamples=4000)
    assert worth.repeats("MMMMMM") - worth.repeats("AAAAAA") == pytest.approx(0.5)
    assert (worth.repeats("SSSSSS") - worth.repeats("AAAAAA")).std() > 1
    # Student's interval of the mean of four, by the standard error s / 2.
    low, high = np.quantile(worth.repeats("AAAAAA"), [0.025, 0.975])
    half = 3.182 * scores.std(ddof=1) / 2
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)
    one = estimate_worth(winners, {"AAAAAA": np.array([1.0])}, num_resamples=5)
    assert one.estimate("AAAAAA") == 1.0 and np.isnan(one.repeats("AAAAAA")).all()


def test_several_comparisons_make_one_pool(folder: Path, tmp_path: Path) -> None:
    other = compare(tmp_path, "more", "first_seed=7", "searchers=[random]")
    winners = read_winners([folder, other, folder])
    assert len(winners.runs) == 8 and winners.searchers == ["evolution", "local-search", "random"]
    assert main(["aggregate", str(folder), str(other), "workers=1", f"out={tmp_path}"]) == 0
    assert "# Aggregated winners of small, more" in (tmp_path / "aggregate.md").read_text()


def test_folders_that_are_no_comparison_are_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "at least one folder" in refusal(capsys)
    assert "there is no folder" in refusal(capsys, tmp_path / "nowhere")
    assert "holds no run of a searcher" in refusal(capsys, tmp_path)
    manifest = {"version": 1, "landscapes": ["one", "two"], "command": ""}
    (tmp_path / "suite.json").write_text(json.dumps(manifest))
    assert f"give one of {tmp_path / 'one'}" in refusal(capsys, tmp_path)
    assert "out=FOLDER must say" in refusal(capsys, folder, tmp_path)
    assert "no size is called '2B'" in refusal(capsys, folder, "sizes=[2B]")
    assert "no setting is called 'cluster'; nearest: clusters" in refusal(
        capsys, folder, "cluster=3"
    )


def test_too_few_finalists_are_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = refusal(capsys, folder / "random" / "seed-0", "clusters=6")
    assert "seed-0 has 5 different finalists with a held-out score, and 6 clusters need" in found
    bare = compare(tmp_path, "bare", "loop.finalists=0", "seeds=1", "searchers=[random]")
    assert "bare has 0 different finalists" in refusal(capsys, bare)


def test_mixed_proxies_and_spaces_are_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["seeds=1", "searchers=[random]"]
    shallow = compare(tmp_path, "shallow", "space.depth=5", *small)
    found = refusal(capsys, folder, shallow, f"out={tmp_path}")
    assert "different proxies or spaces" in found and "shallow" in found
    noisy = compare(tmp_path, "noisy", "proxy.noise=0.5", *small)
    assert "proxy.options.noise is 0.5, not 0.3" in refusal(
        capsys, folder, noisy, f"out={tmp_path}"
    )


def test_a_proxy_that_has_changed_since_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = compare(tmp_path, "old", "seeds=1", "searchers=[random]")
    file = folder / "random" / "seed-0" / "run.json"
    header = json.loads(file.read_text())
    header["config"]["proxy"]["version"] = "0123456789abcdef"
    file.write_text(json.dumps(header))
    assert "proxy additive has changed since these runs (version 0123456789abcdef" in refusal(
        capsys, folder
    )
