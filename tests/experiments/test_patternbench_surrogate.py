"""PatternBench's surrogate and the proxy that serves it, on made-up rows whose truth is known."""

import json
import lzma
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from made_up_rows import FEW_KINDS, NOISE, SPACE, synthetic_rows
from nasarena.experiments.execution.provenance import provenance
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.measure.patternbench import shipped_qualities
from nasarena.experiments.patternbench.costs import costs_of
from nasarena.experiments.patternbench.distillation import Lesson
from nasarena.experiments.patternbench.fit import fit
from nasarena.experiments.patternbench.quality import ceiling
from nasarena.experiments.patternbench.sample import sample_of
from nasarena.experiments.patternbench.torch_network import TrainPlan
from nasarena.experiments.settings.commands import evaluate_settings
from nasarena.figures.stats.transfer import kendall
from nasarena.proxies.contract import check_proxy
from nasarena.proxies.patternbench.benchmark import ROWS, SURROGATE, PatternBench
from nasarena.proxies.patternbench.rows import header_line, read_rows, row_line
from nasarena.proxies.patternbench.surrogate import Surrogate
from nasarena.search.errors import InvalidPattern, InvalidSetting, ProxyFailed
from nasarena.search.proxy import Split, TrialSeed
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

SLICE = PatternSpace("AM", 16)
TINY_LESSON = Lesson(3000, 1000, TrainPlan(1, 8, 0.0, 15, 128, 0.01))
TINY = ["proxy=quick", "proxy.train.steps=2", "proxy.train.warmup_steps=0", "proxy.model.width=8"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fitted benchmark of made-up rows; to be read only."""
    folder = tmp_path_factory.mktemp("patternbench")
    options = evaluate_settings(TINY).proxy.options
    header = {
        "proxy": "quick",
        "version": "made up",
        "settings": options,
        "design": {},
        **provenance("train proxy=quick out=somewhere/rows.csv"),
    }
    file = folder / "rows.csv"
    file.write_text(header_line(header) + "".join(map(row_line, synthetic_rows())))
    fit(file, folder / "data", lambda _: None, FEW_KINDS, TINY_LESSON)
    return folder / "data"


@pytest.fixture
def bench(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PatternBench:
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path))
    return PatternBench("patternbench", SPACE, data)


def test_the_fit_finds_the_truth_behind_the_rows(data: Path) -> None:
    report = json.loads((data / "fit.json").read_text())
    assert {kind["name"] for kind in report["kinds"]} == {"ridge", "gaussian process"}
    assert report["sample"]["failed"] == 1 and report["sample"]["repeated"] == 100
    found, part = shipped_qualities(data)
    assert found is not None and found.num_patterns == 60 and part is None
    assert report["sample"]["repeated_by_design"] == 100 and report["test_slice"] is None
    assert found.kendall_tau == pytest.approx(report["test"]["kendall_tau"])
    assert found.kendall_tau > found.noise_ceiling - 0.12
    assert 0.5 * NOISE < report["noise"]["spread"] < 2 * NOISE
    card = (data / "CARD.md").read_text()
    assert "Apache-2.0" in card and "made up" in card
    assert f"| 60 | uniform | **{found.kendall_tau:.3f}**" in card and "A and M alone" not in card
    header, rows = read_rows(data / ROWS)
    assert "somewhere" not in json.dumps(header)
    assert rows == synthetic_rows()


def test_what_is_told_about_the_surrogate_is_what_the_fit_found(bench: PatternBench) -> None:
    facts = bench.surrogate_facts()
    assert len(facts["held_out"]) == facts["test"]["num_patterns"] == 60
    predicted = np.array([row[1] for row in facts["held_out"]])
    pairs = np.array([row[2:] for row in facts["held_out"]])
    assert kendall(predicted, pairs.mean(axis=1)) == pytest.approx(facts["test"]["kendall_tau"])
    assert ceiling(pairs) == pytest.approx(facts["test"]["noise_ceiling"])
    assert [kind["name"] for kind in facts["kinds"]][0] == facts["winner"]
    assert facts["slice"] == "AM" and facts["test_slice"] is None
    assert json.loads(json.dumps(facts)) == json.loads(json.dumps(facts | {}))  # plain values


def test_without_its_report_a_surrogate_says_so(data: Path, tmp_path: Path) -> None:
    for name in (ROWS, SURROGATE):
        (tmp_path / name).write_bytes((data / name).read_bytes())
    bench = PatternBench("patternbench", SLICE, tmp_path)
    with pytest.raises(ProxyFailed, match="fit.json must be the report"):
        bench.surrogate_facts()


def test_contract(bench: PatternBench, data: Path) -> None:
    check_proxy(bench)
    check_proxy(PatternBench("patternbench", SLICE, data))
    check_proxy(PatternBench("patternbench", SPACE, data, noise=0.0), noisy=False)


def test_a_training_on_record_is_answered_as_it_was(bench: PatternBench) -> None:
    for row in synthetic_rows()[:40]:
        (outcome,) = bench.evaluate([row.pattern], [TrialSeed(row.seed)])
        assert outcome.score == row.score
        assert outcome.note.startswith("measured") and outcome.metrics["trainings"] >= 1
        for seed, split in (
            (TrialSeed(row.seed, 1), "search"),
            (TrialSeed(row.seed), "held_out"),
            (TrialSeed(77), "search"),
        ):
            other = bench.evaluate([row.pattern], [seed], split)[0]  # type: ignore[arg-type]
            assert other.score != row.score and "modelled noise" in other.note
    (failed,) = bench.evaluate(["A" * 16], [TrialSeed(3)])
    assert failed.status == "failed" and failed.note == "loss became nan"
    (never,) = bench.evaluate(["S" * 16], [TrialSeed(3)])
    assert never.note == "surrogate" and never.metrics["trainings"] == 0


def test_true_scores_lie_between_surrogate_and_trainings(bench: PatternBench, data: Path) -> None:
    network = Surrogate.load(data / SURROGATE).network
    sample = sample_of(synthetic_rows())
    for pattern, mean in zip(sample.patterns, sample.means, strict=True):
        model = network.raw(pattern) * network.grid
        low, high = sorted([model, float(mean)])
        assert low - 1e-5 <= bench.true_score(pattern) <= high + 1e-5
    rng = stream(9, "patterns")
    known = set(sample.patterns)
    for pattern in (SPACE.sample(rng) for _ in range(50)):
        if pattern not in known:
            assert bench.true_score(pattern) == network.raw(pattern) * network.grid


def test_noise_has_the_spread_and_the_offsets_that_are_declared(bench: PatternBench) -> None:
    pattern = "SSMAMAMSSMAMAMAS"

    def scores(seeds: range, replicates: range, split: Split = "search") -> list[float]:
        asked = [TrialSeed(seed, replicate) for seed in seeds for replicate in replicates]
        outcomes = bench.evaluate([pattern] * len(asked), asked, split)
        return [outcome.score or 0.0 for outcome in outcomes]

    one_seed = scores(range(2, 3), range(1, 2000))
    assert np.std(one_seed) == pytest.approx(NOISE, rel=0.3)
    assert np.mean(one_seed) == pytest.approx(bench.true_score(pattern), abs=0.01)
    high, low = (
        np.mean(scores(range(4, 5), range(1, 2000))),
        np.mean(scores(range(1), range(1, 2000))),
    )
    assert high - low == pytest.approx(0.04, abs=0.015)
    assert scores(range(3), range(2), "held_out") != scores(range(3), range(2))


def test_materialized_scores_optimum_and_percentile_are_exact(
    bench: PatternBench, data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    part = PatternBench("patternbench", SLICE, data)
    everything = [part.true_score(SLICE.pattern(index)) for index in range(SLICE.size)]
    assert part.all_scores().tolist() == everything
    assert part.true_scores(np.arange(SLICE.size)).tolist() == everything
    pattern, value = part.optimum()
    assert value == max(everything) and part.true_score(pattern) == value
    assert part.regret(pattern) == 0.0 and part.percentile(pattern) == 100.0
    asked = [SLICE.pattern(index) for index in (12345, 7, 12345, 65535)] + [pattern]
    by_hand = [1 + sum(v > part.true_score(p) for v in everything) for p in asked]
    assert part.ranks(asked) == by_hand and by_hand[-1] == 1 and part.ranks([]) == []
    middle = SLICE.pattern(12345)
    assert part.regret(middle) == value - everything[12345]
    assert part.percentile(middle) == 100 * sum(v <= everything[12345] for v in everything) / 2**16
    assert part.true_score(middle) == bench.true_score(middle)  # a slice of the whole
    assert [file.suffix for file in (tmp_path / "patternbench").iterdir()] == [".f32"]
    again = PatternBench("patternbench", SLICE, data)
    monkeypatch.setattr(type(again.truth), "materialize", lambda self: pytest.fail("computed anew"))
    assert isinstance(again.all_scores(), np.memmap)
    assert again.optimum() == (pattern, value)


@pytest.mark.parametrize("damage", ["cut short", "zeros", "other bytes", "a folder"])
def test_a_damaged_table_of_scores_is_worked_out_again(
    data: Path, tmp_path: Path, damage: str
) -> None:
    """Cut short, a mapped file ends the process by a signal; zeros were believed."""
    part = PatternBench("patternbench", SLICE, data)
    expected, file = part.all_scores().tolist(), part.truth.path
    content = file.read_bytes()
    if damage == "a folder":
        file.unlink()
        file.mkdir()
    else:
        made = {
            "cut short": content[:1000],
            "zeros": bytes(len(content)),
            "other bytes": content[:99] + b"x" + content[100:],
        }
        file.write_bytes(made[damage])
    assert PatternBench("patternbench", SLICE, data).all_scores().tolist() == expected
    if damage != "a folder":
        assert file.read_bytes() == content


def test_a_disk_that_is_full_costs_the_table_and_nothing_else(data: Path, tmp_path: Path) -> None:
    """A real limit on the size of files, in a process of its own: writing fails as it does when
    a disk is full, and a signal would end the process."""
    code = (
        "import resource, sys; from pathlib import Path; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
        "from nasarena.proxies.patternbench.benchmark import PatternBench; "
        "from nasarena.search.space import PatternSpace; "
        "bench = PatternBench('patternbench', PatternSpace('AM', 16), Path(sys.argv[1])); "
        "print(bench.optimum())"
    )
    environment = os.environ | {"NASARENA_CACHE": str(tmp_path / "small")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(data)], capture_output=True, text=True, env=environment
    )
    part = PatternBench("patternbench", SLICE, data)
    assert (done.returncode, done.stdout) == (0, f"{part.optimum()}\n")
    assert done.stderr.count("cannot be kept") == 1 and "Traceback" not in done.stderr
    assert list((tmp_path / "small" / "patternbench").iterdir()) == []


def test_drafts_of_killed_processes_are_removed(data: Path) -> None:
    part = PatternBench("patternbench", SLICE, data)
    part.truth.path.parent.mkdir(parents=True, exist_ok=True)
    stale, fresh = (part.truth.path.with_suffix(end) for end in (".1", ".2"))
    for draft in (stale, fresh):
        draft.write_bytes(b"begun")
    os.utime(stale, (0, 0))
    part.all_scores()
    assert not stale.exists() and fresh.exists()


def test_the_order_of_letters_only_reorders_the_space(bench: PatternBench, data: Path) -> None:
    other = PatternSpace("MA", 16)
    reordered = PatternBench("patternbench", other, data)
    ranks = np.array([0, 1, 77, 65535])
    expected = [bench.true_score(other.pattern(int(rank))) for rank in ranks]
    assert reordered.true_scores(ranks).tolist() == expected
    assert reordered.all_scores()[ranks].tolist() == expected


def test_costs_are_those_of_the_proxy_that_was_trained(bench: PatternBench) -> None:
    config = evaluate_settings(TINY)
    proxy = build_proxy(config.proxy, config.space, cache=False)
    costs = costs_of(proxy)
    rng = stream(5, "patterns")
    for pattern in (SPACE.sample(rng) for _ in range(20)):
        expected, found = proxy.cost(pattern), costs.cost(pattern)
        assert (found.flops, found.tokens) == (expected.flops, expected.tokens)
        assert found.device_seconds == pytest.approx(expected.device_seconds)
        assert bench.cost(pattern).flops == expected.flops


def test_what_cannot_be_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="16 letters from AMS, got 8"):
        PatternBench("patternbench", PatternSpace("AMS", 8), data)
    with pytest.raises(InvalidSetting, match="got 16 letters from AX"):
        PatternBench("patternbench", PatternSpace("AX", 16), data)
    with pytest.raises(InvalidSetting, match="noise must be at least 0, got -1"):
        evaluate_settings(["proxy=patternbench", "proxy.noise=-1"])
    with pytest.raises(InvalidPattern):
        PatternBench("patternbench", SLICE, data).true_score("S" * 16)
    with pytest.raises(ProxyFailed, match="make patternbench"):
        PatternBench("patternbench", SPACE, tmp_path)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / ROWS).write_bytes((data / ROWS).read_bytes()[:-40])
    with pytest.raises(ProxyFailed, match="make patternbench"):
        PatternBench("patternbench", SPACE, damaged)
    (damaged / ROWS).write_bytes(lzma.compress(b"no header"))
    with pytest.raises(ProxyFailed, match="first line"):
        PatternBench("patternbench", SPACE, damaged)
    (damaged / ROWS).write_bytes((data / ROWS).read_bytes())
    (damaged / SURROGATE).write_bytes(b"PK no arrays")
    with pytest.raises(ProxyFailed, match="surrogate"):
        PatternBench("patternbench", SPACE, damaged)


def test_answers_need_neither_torch_nor_scipy(data: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from nasarena.proxies.patternbench.benchmark import PatternBench\n"
        "from nasarena.search.space import PatternSpace\n"
        "from nasarena.search.proxy import TrialSeed\n"
        f"bench = PatternBench('patternbench', PatternSpace('AMS', 16), Path({str(data)!r}))\n"
        "bench.evaluate(['AMSA' * 4], [TrialSeed(0)]); bench.cost('AMSA' * 4)\n"
        "assert not {'torch', 'scipy', 'sklearn', 'pandas'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
