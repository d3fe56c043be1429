"""The finalists of all searchers of one or several comparisons, and every score of their runs.

A finalist is a pattern that one model named in the trials of a run and that was trained again on
held-out data (search/retraining.py). Runs are selected as for a report: finished, made under one
condition, with the same seeds for every searcher.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.settings.choices import ProxyConfig, choose_proxy
from nasarena.figures.results.rows import FINALISTS, final_rows, finals_of, valid_retrainings
from nasarena.figures.results.run_selection import Run, select_runs
from nasarena.figures.stats.intervals import Floats
from nasarena.figures.suite.results import is_suite, read_manifest
from nasarena.search.errors import InvalidSetting, NasArenaError
from nasarena.search.fidelity import comparable
from nasarena.search.run_config import condition, difference
from nasarena.search.run_folder import read_runs
from nasarena.search.space import PatternSpace

_SHARED = ("proxy", "final_proxy", "space")  # what a finalist's score depends on besides its seed


@dataclass(frozen=True, slots=True, eq=False)  # one run's are themselves alone, and can be a key
class ScoredTrials:
    """The full trainings of a run's search: N patterns, one as often as it was trained."""

    patterns: Sequence[str]
    scores_N: Floats


@dataclass(frozen=True, slots=True)
class RunWinners:
    """One run: held-out scores of its finalists, and its trials."""

    searcher: str
    is_agent: bool
    finalists: Mapping[str, list[float]]
    trials: ScoredTrials = field(repr=False)


@dataclass(frozen=True, slots=True)
class Winners:
    """The runs of comparisons on one proxy and space.

    `proxy` is what was searched, `judge` what trained the finalists again; mostly they are one.
    """

    name: str
    runs: Sequence[RunWinners] = field(repr=False)
    num_excluded: int
    proxy: ProxyConfig
    judge: ProxyConfig
    space: PatternSpace

    @property
    def searchers(self) -> list[str]:
        return sorted({run.searcher for run in self.runs})


@dataclass(frozen=True, slots=True)
class Pool:
    """What a rule is given: N different finalists, best first, each once with its mean score.

    Equal scores stand in the order of the alphabet. `trials` are those of the same runs.
    """

    space: PatternSpace
    patterns: Sequence[str]
    scores_N: Floats = field(repr=False)
    trials: Sequence[ScoredTrials] = field(repr=False)


def make_pool(space: PatternSpace, runs: Sequence[RunWinners]) -> Pool:
    """The finalists of runs; a run that is given twice counts twice."""
    scores: dict[str, list[float]] = {}
    for run in runs:
        for pattern, own in run.finalists.items():
            scores.setdefault(pattern, []).extend(own)
    means = {pattern: float(np.mean(own)) for pattern, own in scores.items()}
    ranked = sorted(means, key=lambda pattern: (-means[pattern], pattern))
    scores_N = np.array([means[pattern] for pattern in ranked])
    return Pool(space, ranked, scores_N, [run.trials for run in runs])


def read_winners(folders: Sequence[Path]) -> Winners:
    """The finalists below `folders`, each of one comparison.

    Raises NasArenaError, in one line, for a folder that is no comparison, and where two of them
    were made on different proxies or spaces.
    """
    found: list[Run] = []
    num_excluded = 0
    for folder in {path.resolve(): path for path in folders}.values():
        runs, num_others = _read_comparison(folder)
        found += runs
        num_excluded += num_others
    shared = _shared_condition(found)
    space = PatternSpace(**shared["space"])
    proxy = _proxy(shared["proxy"], space)
    judge = _proxy(shared["final_proxy"], space) if shared["final_proxy"] else proxy
    name = ", ".join(dict.fromkeys(path.resolve().name for path in folders))
    return Winners(name, list(map(_winners_of, found)), num_excluded, proxy, judge, space)


def _read_comparison(folder: Path) -> tuple[list[Run], int]:
    """The runs that can be compared, and how many others there are."""
    if not folder.is_dir():
        raise InvalidSetting(f"a folder of runs is expected, there is no folder {str(folder)!r}")
    if is_suite(folder):
        landscapes = ", ".join(str(folder / name) for name in read_manifest(folder).landscapes)
        raise InvalidSetting(
            f"{folder} holds several landscapes, whose scores have nothing in common; give one "
            f"of {landscapes}"
        )
    records, unreadable = read_runs(folder)
    selection = select_runs(records, folder, unreadable)
    if not selection.ranked:
        reasons = "; ".join(run.reason for run in selection.excluded[:1])
        raise NasArenaError(f"{folder} holds no finished run of a searcher: {reasons}")
    return selection.ranked, len(selection.excluded)


def _shared_condition(runs: Sequence[Run]) -> dict[str, Any]:
    """What all runs have in common of `_SHARED`; budgets and searchers may differ."""
    first: dict[str, Any] | None = None
    for run in runs:
        own = condition(run.record.config)
        plain: dict[str, Any] = json.loads(json.dumps({key: own[key] for key in _SHARED}))
        first = first or plain
        if plain != first:
            raise NasArenaError(
                f"finalists of different proxies or spaces make no pattern together: in "
                f"{run.record.path} {difference(plain, first)} as in {runs[0].record.path}"
            )
    assert first is not None
    return first


def _proxy(recorded: Mapping[str, Any], space: PatternSpace) -> ProxyConfig:
    """The proxy of a record. Raises NasArenaError where it scores otherwise by now."""
    config = choose_proxy(recorded["name"], recorded["options"])
    version = build_proxy(config, space, cache=True).version
    if version != recorded["version"]:
        raise NasArenaError(
            f"proxy {config.name} has changed since these runs (version {recorded['version']}, "
            f"now {version}), so new scores would not compare; make the comparison again"
        )
    return config


def _winners_of(run: Run) -> RunWinners:
    finalists: dict[str, list[float]] = {}
    for row in valid_retrainings(finals_of(final_rows(run.record), FINALISTS)):
        finalists.setdefault(row["pattern"], []).append(float(row["score"]))
    trials = comparable(run.record.trials())
    return RunWinners(
        searcher=run.searcher,
        is_agent=bool(run.record.config["searcher"].get("uses_llm", False)),
        finalists=finalists,
        trials=ScoredTrials(
            [trial.pattern for trial in trials], np.array([trial.score for trial in trials])
        ),
    )


def refuse_small_pool(pool: Pool, fewest: int, name: str) -> None:
    """Raise NasArenaError where there are fewer different finalists than rules need."""
    if len(pool.patterns) < fewest:
        raise NasArenaError(
            f"{name} has {len(pool.patterns)} different finalists with a held-out "
            f"score, and {fewest} clusters need as many; compare with loop.finalists="
            f"{fewest} or more and loop.final_replicates=1, or give clusters=2"
        )
