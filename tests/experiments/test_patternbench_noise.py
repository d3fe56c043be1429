"""PatternBench's noise and the surrogate's own error, on rows whose truth was planted."""

import itertools
import json
import lzma
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasarena.experiments.execution.provenance import provenance
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.measure import benchmark_noise
from nasarena.experiments.patternbench import fit as fitting
from nasarena.experiments.patternbench.costs import costs_of, measure_costs, priced
from nasarena.experiments.patternbench.discrepancy import mean_square
from nasarena.experiments.patternbench.fit import fit_noise, main
from nasarena.experiments.patternbench.noise_model import fitted_spread, noise_of, pooled_spread
from nasarena.experiments.patternbench.report import find_test_places, qualities_of
from nasarena.experiments.patternbench.sample import Sample, sample_of
from nasarena.experiments.settings.commands import evaluate_settings
from nasarena.proxies.patternbench.benchmark import ROWS, SURROGATE, PatternBench
from nasarena.proxies.patternbench.network import WindowNetwork
from nasarena.proxies.patternbench.rows import Role, Row, header_line, read_rows, row_line
from nasarena.proxies.patternbench.surrogate import Costs, Noise, Surrogate
from nasarena.search.errors import ProxyFailed
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

SPACE, SLICE = PatternSpace("AMS", 16), PatternSpace("AM", 16)
NOISE = 0.02
COSTS = Costs(1000, (10, 20, 30), 64, 0.1, (0.01, 0.02, 0.03))


def network_of(rng: np.random.Generator) -> WindowNetwork:
    tables = 0.001 * rng.standard_normal((14, 27, 4))
    return WindowNetwork.quantise(tables, np.array([1, -1, 1, -1], dtype=np.int8), -3.0)


def planted_rows(
    network: WindowNetwork, discrepancy: float = 0.0, num_fill: int = 6000, num_test: int = 400
) -> list[Row]:
    """One training of each pattern, four of test patterns; the luckiest tenth is trained again."""
    rng = stream(0, "planted noise")
    rows: list[Row] = []

    def train(pattern: str, seed: int, role: Role, mean: float) -> float:
        score = mean + NOISE * float(rng.standard_normal())
        rows.append(Row(pattern, seed, role, 0, score, -score, 0.3, 0.5))
        return score

    firsts = []
    drawn = ((SLICE if number % 4 == 0 else SPACE).sample(rng) for number in itertools.count())
    for number, pattern in enumerate(distinct(drawn, num_fill + num_test)):
        mean = network.raw(pattern) * network.grid + discrepancy * float(rng.standard_normal())
        if number < num_test:
            for seed in [(number + step) % 5 for step in range(4)]:
                train(pattern, seed, "test", mean)
        else:
            firsts.append((train(pattern, number % 5, "fill", mean), pattern, number, mean))
    firsts.sort(reverse=True)
    for _, pattern, number, mean in firsts[: num_fill // 10]:
        train(pattern, (number + 1) % 5, "again", mean)
    return rows


def distinct(drawn: Iterator[str], count: int) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        found[next(drawn)] = None
    return list(found)


def predictions(network: WindowNetwork, sample: Sample) -> np.ndarray[Any, np.dtype[np.float64]]:
    return network.scores(sample.digits @ 3 ** np.arange(15, -1, -1))


def test_trainings_chosen_for_luck_do_not_make_noise_larger() -> None:
    network = network_of(stream(0, "network"))
    sample = sample_of(planted_rows(network))
    assert sample.is_selected.sum() == 600 and len(sample.repeats) == 400
    assert (sample.counts[sample.is_selected] == 2).all()
    predicted = predictions(network, sample)

    def spread_of_the_best(taken: Sample) -> float:
        noise, best = noise_of(taken, predicted), np.argsort(-predicted)[:100]
        spreads = [noise.spread(sample.patterns[i], predicted[i]) for i in best]
        return float(np.sqrt(np.mean(np.square(spreads))))

    noise = noise_of(sample, predicted)
    assert fitted_spread(sample, predicted, noise) == pytest.approx(NOISE, rel=0.06)
    steep = replace(noise, log_variance=np.array([np.log(0.01), 0.0, 0.0, 0.0, 0.0]))
    assert fitted_spread(sample, predicted, steep) == pytest.approx(0.1)
    everything = replace(sample, is_selected=np.zeros_like(sample.is_selected))
    assert spread_of_the_best(everything) > 1.12 * NOISE  # what was done before
    assert spread_of_the_best(sample) == pytest.approx(NOISE, rel=0.06)
    assert pooled_spread(everything) > 1.12 * NOISE
    assert pooled_spread(sample) == pytest.approx(NOISE, rel=0.05)


@pytest.mark.parametrize("planted", [0.0, 0.015])
def test_the_error_of_the_surrogate_is_recovered(planted: float) -> None:
    network = network_of(stream(0, "network"))
    sample = sample_of(planted_rows(network, planted))
    predicted = predictions(network, sample)
    noise = noise_of(sample, predicted)
    assert noise.discrepancy == pytest.approx(planted, abs=0.004)
    wrong = predicted + np.where(sample.is_test, 0.0, 0.5)  # other patterns take no part
    assert noise_of(sample, wrong).discrepancy == pytest.approx(noise.discrepancy, abs=0.003)


def test_no_line_is_drawn_beyond_its_points() -> None:
    """Of a noise that falls with the standing: what the best have is that of the best repeated."""
    noise = Noise(np.array([-7.0, 0.0, 0.0, 0.0, -0.5]), -3.0, 0.1, np.zeros(5), 0.0, 0.0)
    low, high, higher = (noise.spread("AMSA" * 4, mean) for mean in (-3.0, -2.92, -2.5))
    assert low == pytest.approx(np.exp(-3.5)) and high == higher < low
    with_attention = replace(noise, log_variance=np.array([-7.0, 1.0, 0.0, 0.0, 0.0]))
    assert with_attention.spread("AMSA" * 4, -3.0) == pytest.approx(np.exp(-3.25))


def test_beyond_the_knee_the_noise_has_a_slope_of_its_own_up_to_the_highest() -> None:
    noise = Noise(np.array([-7.0, 0.0, 0.0, 0.0, 0.0, -2.0]), -3.0, 0.1, np.zeros(5), 0.0, 0.0, 1.2)
    means = [-3.0 + 0.1 * standing for standing in (0.7, 1.0, 1.2, 5.0)]
    spreads = [noise.spread("AMSA" * 4, mean) for mean in means]
    assert spreads == pytest.approx(np.exp([-3.5, -3.8, -4.0, -4.0]))


def test_the_elite_round_says_how_small_the_noise_of_the_best_is() -> None:
    """Planted: the best half a tenth has a fifth of the noise; its first trainings were lucky."""
    network = network_of(stream(0, "network"))
    rows = planted_rows(network)
    scores = {row.pattern: network.raw(row.pattern) * network.grid for row in rows}
    chosen = {row.pattern for row in rows if row.role == "again"}
    best = sorted(chosen, key=lambda pattern: -scores[pattern])[:200]
    rng = stream(0, "elite")
    for pattern in best:
        for seed in range(5, 8):
            score = scores[pattern] + 0.2 * NOISE * float(rng.standard_normal())
            rows.append(Row(pattern, seed, "again", 9, score, -score, 0.3, 0.5))
    sample = sample_of(rows)
    places, variances, counts = sample.elite_variances()
    assert {sample.patterns[place] for place in places} == set(best) and (counts == 3).all()
    assert np.sqrt(variances.mean()) == pytest.approx(0.2 * NOISE, rel=0.1)
    predicted = predictions(network, sample)
    order = np.argsort(predicted)

    def middle_spread(taken: Sample, chosen: Any) -> float:
        noise = noise_of(taken, predicted)
        spreads = [noise.spread(sample.patterns[i], float(predicted[i])) for i in chosen]
        return float(np.median(spreads))

    unseen = replace(sample, is_elite=np.zeros_like(sample.is_elite))
    assert middle_spread(sample, order[-100:]) < 0.8 * NOISE
    assert middle_spread(unseen, order[-100:]) > 0.9 * NOISE
    for taken in (sample, unseen):
        assert middle_spread(taken, order[1500:3000]) == pytest.approx(NOISE, rel=0.25)


def test_a_mean_square_is_what_a_hand_works_out_and_may_be_negative() -> None:
    found = mean_square(np.array([0.3, -0.1]), np.array([0.1, 0.2]), np.array([2, 4]))
    assert found.square == pytest.approx((0.09 - 0.01 / 2 + 0.01 - 0.04 / 4) / 2)
    assert found.size == pytest.approx(found.square**0.5)
    assert found.square_interval == pytest.approx((0.0, 0.085))  # either pattern twice
    none = mean_square(np.zeros(5), np.full(5, 0.1), np.ones(5, dtype=np.int64))
    assert none.square == pytest.approx(-0.01)
    assert none.size == 0.0 and none.interval == (0.0, 0.0)


def test_uniform_patterns_and_the_slice_are_judged_apart() -> None:
    """Within each no order is right, but the two differ: over both together tau is high."""
    rng = stream(0, "apart")
    rows = []
    for number in range(80):
        space, mean = (SLICE, -3.0) if number % 2 else (SPACE, -2.0)
        pattern = space.sample(rng)
        for seed in range(2):
            score = mean + 0.01 * float(rng.standard_normal())
            rows.append(Row(pattern, seed, "test", 0, score, -score, 0.3, 0.5))
    sample = sample_of([*rows, *(replace(row, role="fill") for row in planted_rows_of_fill())])
    predicted = np.array([-3.0 if "S" not in pattern else -2.0 for pattern in sample.patterns])
    predicted += 0.01 * rng.standard_normal(len(predicted))
    uniform, part = find_test_places(sample)
    assert all("S" in sample.patterns[i] for i in uniform) and len(uniform) == 40
    assert not any("S" in sample.patterns[i] for i in part) and len(part) == 40
    found, of_slice = qualities_of(sample, predicted)
    assert found is not None and abs(found.kendall_tau) < 0.3 and found.num_patterns == 40
    assert of_slice is not None and abs(of_slice.kendall_tau) < 0.3
    inside = replace(sample, is_test=sample.is_test & np.isin(np.arange(len(predicted)), part))
    assert [len(places) for places in find_test_places(inside)] == [40, 0]  # uniform in the slice
    few = replace(sample, is_test=np.arange(len(predicted)) == uniform[0])
    assert qualities_of(few, predicted) == (None, None)


def planted_rows_of_fill() -> list[Row]:
    return planted_rows(network_of(stream(0, "network")), num_fill=60, num_test=0)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as an earlier version of the fit left it: other noise, and more said of kinds."""
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fitting, "measure_costs", lambda header: COSTS)
    folder = tmp_path / "data"
    folder.mkdir()
    network = network_of(stream(0, "network"))
    rows = planted_rows(network, num_fill=300, num_test=80)
    header = {"proxy": "quick", "version": "7", "settings": {}, **provenance("train")}
    text = header_line(header) + "".join(map(row_line, rows))
    (folder / ROWS).write_bytes(lzma.compress(text.encode()))
    noise = Noise(np.zeros(7), -3.0, 1.0, np.zeros(5), 0.0, 9.0)
    Surrogate(network, noise, replace(COSTS, seconds_base=7.0)).save(folder / SURROGATE)
    kind = {"name": "ridge", "error": 0.03, "fold_errors": [0.03], "settings": []}
    report = {
        "proxy": {key: header[key] for key in ("proxy", "version", "date", "commit", "hardware")},
        "sample": {},
        "kinds": [kind | {"repeated": {"kendall_tau": 0.16, "noise_ceiling": 0.0}}],
        "winner": "ridge",
        "fidelity": {"kendall_tau": 0.97, "rms": 0.003},
        "test_teacher": {"kendall_tau": 0.9},
    }
    (folder / "fit.json").write_text(json.dumps(report))
    return folder


def test_noise_alone_is_fitted_anew_and_the_network_stays(data: Path, tmp_path: Path) -> None:
    before, old = Surrogate.load(data / SURROGATE), tmp_path / "old"
    with pytest.raises(ProxyFailed, match=r"another version; mend it with .* only=noise"):
        PatternBench("patternbench", SPACE, data)  # seven weights
    shutil.copytree(data, old)
    report = fit_noise(data, lambda _: None)
    after = Surrogate.load(data / SURROGATE)
    assert (data / ROWS).read_bytes() == (old / ROWS).read_bytes()
    for name in ("tables", "signs", "intercept", "grid"):
        np.testing.assert_array_equal(getattr(after.network, name), getattr(before.network, name))
    sample = sample_of(read_rows(data / ROWS)[1])
    expected = noise_of(sample, predictions(after.network, sample))
    np.testing.assert_array_equal(after.noise.log_variance, expected.log_variance)
    assert after.noise.discrepancy == expected.discrepancy == report["noise"]["discrepancy"]
    assert after.costs == COSTS and report["costs"]["seconds_base"] == COSTS.seconds_base
    assert json.loads(json.dumps(report)) == json.loads((data / "fit.json").read_text())
    assert "repeated" not in report["kinds"][0] and "test_teacher" not in report
    assert report["winner"] == "ridge" and report["kinds"][0]["error"] == 0.03
    card = (data / "CARD.md").read_text()
    assert "trained twice" not in card and f"**{report['noise']['discrepancy']:.4f}**" in card
    facts = PatternBench("patternbench", SPACE, data).surrogate_facts()
    assert facts["slice"] == "AM"
    assert facts["test_slice"]["kendall_tau"] == report["test_slice"]["kendall_tau"]


def test_what_only_can_be_is_said(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = f"data={data}"
    assert main(["only=network", where]) == 2
    assert "only must be noise, got 'network'" in capsys.readouterr().err
    assert main(["only=noise", "rows=x.csv", where]) == 2
    assert "leave out rows=FILE" in capsys.readouterr().err
    assert main(["kinds=ridge"]) == 2
    assert "no setting is called 'kinds'" in capsys.readouterr().err
    (data / "fit.json").write_text("{}")
    with pytest.raises(ProxyFailed, match="must be the report of an earlier fit"):
        fit_noise(data)


def test_seconds_of_a_layer_are_what_a_stack_takes_beyond_the_rest() -> None:
    seconds = {"A" * 8: 0.1 + 8 * 0.01, "A" * 16: 0.26, "M" * 16: 0.1 + 0.32, "S" * 16: 0.1 + 0.48}
    found = priced(replace(COSTS, seconds_base=9.0, seconds=(9.0, 9.0, 9.0)), seconds.__getitem__)
    assert found.seconds == pytest.approx(COSTS.seconds)
    assert found.seconds_base == pytest.approx(COSTS.seconds_base)
    assert (found.flops, found.tokens) == (COSTS.flops, COSTS.tokens)
    noisy = priced(COSTS, (seconds | {"A" * 8: 0.1}).__getitem__)
    assert noisy.seconds_base == 0.0 and noisy.seconds[0] == pytest.approx(0.26 / 16)


def test_the_seconds_of_a_training_are_the_processors() -> None:
    settings = evaluate_settings([
        "proxy=quick", "proxy.train.steps=3", "proxy.train.warmup_steps=0", "proxy.model.width=8",
    ])  # fmt: skip
    header = {"proxy": "quick", "settings": settings.proxy.options}
    found = measure_costs(header)
    proxy = build_proxy(settings.proxy, settings.space, cache=False)
    assert found.flops == costs_of(proxy).flops
    assert min(found.seconds) > 0 and found.seconds_base >= 0


def test_the_measurement_finds_planted_noise_and_error() -> None:
    rng = stream(0, "planted measurement")
    shape = 400, 10
    true, spreads = rng.normal(-2.6, 0.01, shape[0]), np.full(shape[0], NOISE)
    patterns = tuple(SPACE.sample(rng) for _ in true)
    model = benchmark_noise.Modelled(patterns, true, true, spreads)
    error, seeds = 0.01 * rng.standard_normal((400, 1)), 0.05 * rng.standard_normal(10)
    scores = true[:, None] + error + seeds + NOISE * rng.standard_normal(shape)
    rows, summary = benchmark_noise.compare(model, scores)
    assert summary["spread_ratio"] == pytest.approx(1.0, abs=0.04) and summary["trainings"] == 4000
    low, high = summary["spread_interval"]
    assert low < summary["spread"] < high and low == pytest.approx(NOISE, rel=0.06)
    assert summary["discrepancy"] == pytest.approx(float(error.std()), abs=0.0008)
    doubled = replace(model, spreads=2 * spreads)
    assert benchmark_noise.compare(doubled, scores)[1]["variance_ratio"] == pytest.approx(
        4 * summary["variance_ratio"]
    )
    assert len(rows) == 400 and rows[3]["pattern"] == patterns[3]


def test_what_is_measured_are_the_best_at_even_steps_of_the_logarithm(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert benchmark_noise.log_ranks(4, 1000) == [1, 10, 100, 1000]
    assert benchmark_noise.log_ranks(6, 10) == [1, 2, 3, 4, 6, 10]
    fit_noise(data, lambda _: None)
    monkeypatch.setattr(benchmark_noise, "SPACE", SLICE)
    model = benchmark_noise.modelled(data)
    bench = PatternBench("patternbench", SLICE, data)
    scores = np.sort(bench.all_scores())[::-1]
    ranks = benchmark_noise.log_ranks(50, 655)
    assert model.true.astype(np.float32).tolist() == scores[np.array(ranks) - 1].tolist()
    assert len(set(model.patterns)) == 50
