"""Winners of several runs train as one population; a searched run is not asked again."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from fakes import FakeProxy, Sampling
from nasarena.search.budget import Budget
from nasarena.search.errors import NasArenaError, ReplayDiverged
from nasarena.search.journal import Journal
from nasarena.search.loop import LoopSettings, load_finished_search, search
from nasarena.search.proxy import Split, TrialSeed
from nasarena.search.retraining import best_patterns, final_seed, retrain_best
from nasarena.search.run_folder import RunFolder, drop_measurements, read_run
from nasarena.search.searcher import Searcher
from nasarena.search.space import PatternSpace

SPACE = PatternSpace("AMS", 6)


def letters() -> FakeProxy:
    return FakeProxy(SPACE, score)


def populations(proxy: FakeProxy) -> list[list[tuple[str, TrialSeed]]]:
    """Each population that was trained on held-out data."""
    return [
        [(one.pattern, one.seed) for one in call]
        for call in proxy.calls
        if call[0].split == "held_out"
    ]


def score(pattern: str, seed: TrialSeed, split: Split = "search") -> float:
    """Another one for each seed."""
    return pattern.count("A") + seed.run % 7 / 10


def loop_of(seed: int) -> LoopSettings:
    return LoopSettings(
        seed, Budget("trials", 6), initial_design=2, finalists=2, final_replicates=2
    )


def search_with(folder: RunFolder, seed: int, proxy: FakeProxy) -> None:
    search(Journal(folder), lambda rng: Sampling(SPACE, rng), proxy, loop_of(seed))


def run_all(path: Path, seeds: Sequence[int], proxy: FakeProxy) -> None:
    """Search one after the other, then conclude all together, each step from the folder alone."""
    for seed in seeds:
        with RunFolder(path / str(seed), {"seed": seed}, {}) as folder:
            search_with(folder, seed, proxy)
    conclude_all(path, seeds, proxy)


def conclude_all(path: Path, seeds: Sequence[int], proxy: FakeProxy) -> None:
    with ExitStack() as stack:
        folders = [
            stack.enter_context(RunFolder(path / str(seed), {"seed": seed}, {})) for seed in seeds
        ]
        runs = [load_finished_search(f, loop_of(s)) for f, s in zip(folders, seeds, strict=True)]
        retrain_best(runs, proxy)


def test_the_best_of_all_runs_are_one_population_and_each_run_gets_its_own(tmp_path: Path) -> None:
    proxy = letters()
    run_all(tmp_path, [0, 1, 2], proxy)
    (population,) = populations(proxy)
    expected = []
    for seed in (0, 1, 2):
        record = read_run(tmp_path / str(seed))
        best = best_patterns(record.trials(), 2)
        wanted = [(pattern, final_seed(seed, i)) for pattern in best for i in range(2)]
        finals = list(record.of_kind("final"))
        assert [event["pattern"] for event in finals] == [pattern for pattern, _ in wanted]
        assert [event["outcome"]["score"] for event in finals] == [
            score(pattern, own) for pattern, own in wanted
        ]
        assert record.state == "finished"
        expected += wanted
    assert population == expected


@pytest.mark.parametrize("num_lost", [1, 2, 3, 4, 5])
def test_what_was_cut_after_the_search_asks_nobody_again(tmp_path: Path, num_lost: int) -> None:
    run_all(tmp_path, [0, 1], letters())
    whole = drop_measurements(read_run(tmp_path / "1").events)
    file = tmp_path / "1" / "events.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-num_lost]))

    def nobody(rng: np.random.Generator) -> Searcher:
        raise AssertionError("a search that has ended needs no searcher")

    proxy = letters()
    with RunFolder(tmp_path / "1", {"seed": 1}, {}) as folder:
        search(Journal(folder), nobody, proxy, loop_of(1))
    conclude_all(tmp_path, [0, 1], proxy)
    assert drop_measurements(read_run(tmp_path / "1").events) == whole
    assert [len(population) for population in populations(proxy)] == ([] if num_lost == 1 else [4])


@pytest.mark.parametrize("num_kept", [1, 4])
@pytest.mark.parametrize("key", ["pattern", "replicate"])
def test_a_record_of_other_retrainings_is_refused(tmp_path: Path, num_kept: int, key: str) -> None:
    """Whether or not any is still to be trained: their scores would be those of other patterns."""
    run_all(tmp_path, [0], letters())
    file = tmp_path / "0" / "events.jsonl"
    events = read_run(tmp_path / "0").events
    kept = [event for event in events if event["event"] not in ("final", "finished")]
    finals = [event for event in events if event["event"] == "final"][:num_kept]
    finals[0][key] = {"pattern": "SSSSSS", "replicate": 7}[key]
    file.write_text("".join(json.dumps(event) + "\n" for event in [*kept, *finals]))
    proxy = letters()
    with pytest.raises(ReplayDiverged, match="chosen in another way"):
        conclude_all(tmp_path, [0], proxy)
    assert populations(proxy) == []


def test_a_run_that_was_not_searched_cannot_be_concluded(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {}, {}) as folder:
        with pytest.raises(NasArenaError, match="its search has not ended"):
            load_finished_search(folder, loop_of(0))
