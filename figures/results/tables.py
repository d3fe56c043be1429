"""Run folders as tidy tables: one row per run, per trial, per re-training.

The decision to know: nothing is averaged over unequal sets. Only finished runs under one and the
same condition (proxy version, space, budget, loop settings) are kept, and of those the largest
complete block of searchers x seeds, so that every searcher has the same seeds. Every run that is
left out stands in `excluded`, with the reason in words.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nasarena.figures.results.benchmark import Benchmark, read_benchmark
from nasarena.figures.results.rows import (
    CHOICE_COLUMNS,
    CONTROL_COLUMNS,
    FINAL_COLUMNS,
    METERS,
    REFERENCE_COLUMNS,
    RUN_COLUMNS,
    TRIAL_COLUMNS,
    choice_rows,
    final_rows,
    reference_rows,
    totals,
    trial_rows,
)
from nasarena.figures.results.run_selection import ExcludedRun, Run, RunSelection, select_runs
from nasarena.search.fidelity import comparable
from nasarena.search.run_config import control_of
from nasarena.search.run_folder import RunRecord, read_runs


@dataclass(frozen=True, slots=True)
class Tables:
    """A comparison as tables.

    `runs`: searcher, seed, state and totals. `trials`: one row per settled trial with the meters
    of `METERS` as cumulative columns; `incumbent`, the best pattern so far, and `best_so_far`, its
    score (NaN before the first full score: a partial training, `fidelity` below 1, never counts);
    `worth` is what the incumbent is worth: on a benchmark its true score, else `best_so_far`.
    `finals`: one row per re-training; `choices`: one per pattern that somebody named at the end of
    a run, trained again or not. `references`: name, pattern, seed and `score` of each
    reference pattern, and `final`, the mean of `trainings` re-trainings. `condition` is what all
    kept runs share; `seeds` are the paired seeds. `controls`: as `runs`, for searchers under
    a control of the harness, with `control` (what was hidden) and `real` (the searcher without it).
    `benchmark`: what is known exactly, None where the proxy is trained. `score_unit`: `nats` where
    a score is a loss turned round, `accuracy` where it is one, `value` where it is the value of a
    synthetic landscape, else empty.
    """

    runs: pd.DataFrame = field(repr=False)
    trials: pd.DataFrame = field(repr=False)
    finals: pd.DataFrame = field(repr=False)
    references: pd.DataFrame = field(repr=False)
    excluded: tuple[ExcludedRun, ...]
    condition: Mapping[str, Any]
    provenance: tuple[Mapping[str, Any], ...] = field(repr=False)
    seeds: tuple[int, ...]
    data_hash: str
    name: str
    controls: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    benchmark: Benchmark | None = field(default=None, repr=False)
    score_unit: str = ""
    choices: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)

    @property
    def searchers(self) -> list[str]:
        """Searchers with complete runs on all paired seeds, in order of their name."""
        return sorted(self.runs["searcher"].unique())

    @property
    def unit(self) -> str:
        """The unit of the budget, which is a key of `METERS`."""
        return str(self.condition["budget"]["unit"])

    @property
    def budget(self) -> float:
        """The amount of the budget, in its unit."""
        return float(self.condition["budget"]["amount"])

    @property
    def ground(self) -> str:
        """Proxy, space and budget in words: where the scores of a figure come from."""
        space = f", {self.space_in_words}" if self.space_in_words else ""
        amount = METERS[self.unit].amount(self.budget)
        return f"{self.condition['proxy']['name']}{space}, {amount} a run"

    @property
    def has_letters(self) -> bool:
        """Whether candidates are patterns, which figures of letters need."""
        return "alphabet" in (self.condition["space"] or {})

    @property
    def space_in_words(self) -> str:
        """What was searched, empty where that is not on record."""
        space = self.condition["space"] or {}
        if self.has_letters:
            return f"{space['depth']} letters of {space['alphabet']}"
        return f"{len(space['edits'])} edits" if "edits" in space else "programs" * bool(space)

    @property
    def unit_in_brackets(self) -> str:
        """The unit of scores for the label of an axis, empty where they have none."""
        return " (nats)" if self.score_unit == "nats" else ""

    @property
    def is_synthetic(self) -> bool:
        """Whether scores are values of a formula: no layer stands behind a letter."""
        return self.score_unit == "value"

    @property
    def seeds_in_words(self) -> str:
        """For the small print of a figure."""
        return "one seed" if len(self.seeds) == 1 else f"{len(self.seeds)} paired seeds"

    @property
    def is_retrained(self) -> bool:
        """Whether the best patterns of every run were trained again: then final scores decide."""
        return bool((self.runs["num_finals"] > 0).all()) and len(self.runs) > 0

    @property
    def final_proxy(self) -> str | None:
        """The proxy that trained the winners again; None where it was the one searched."""
        judge = self.condition.get("final_proxy")
        return None if not judge else str(judge["name"])

    def finals_named_by(self, name: str) -> pd.DataFrame:
        """The re-trainings of patterns that `finalists`, `best` or `recommended` names."""
        is_named = np.array(
            [name in words.split() for words in self.finals["named_by"]], dtype=bool
        )
        return self.finals[is_named]

    def meter_column(self, meter: str) -> str:
        """The column of `trials` that counts `meter`.

        On the budget's own meter it is the ledger that counts, charged language models included.
        """
        return "spent" if meter == self.unit else meter

    def by_seed(self, column: str) -> dict[str, list[float]]:
        """A column of `runs` for each searcher, in the order of `seeds`."""
        table = self.runs.pivot(index="seed", columns="searcher", values=column)
        return {name: table[name].astype(float).tolist() for name in self.searchers}

    def trials_by_seed(self, searcher: str) -> list[pd.DataFrame]:
        """The trials of each run of a searcher, in the order of `seeds`."""
        own = self.trials[self.trials["searcher"] == searcher]
        return [run for _, run in own.groupby("seed")]

    def reference_scores(self, column: str = "score") -> dict[str, float]:
        """Mean over the paired seeds of each reference pattern that was scored on all of them.

        None on a synthetic landscape: to a formula the patterns of known models mean nothing.
        """
        if self.is_synthetic:
            return {}
        scores = self.references.pivot_table(index="name", columns="seed", values=column)
        complete = scores.dropna().mean(axis=1).sort_values(ascending=False)
        return {str(name): float(score) for name, score in complete.items()}

    def reference_table(self) -> list[tuple[str, float | None, float]]:
        """Name, final score (None without one) and search score, the best final score first."""
        finals, scores = self.reference_scores("final"), self.reference_scores()
        order = dict.fromkeys([*finals, *scores])  # both are sorted
        return [(name, finals.get(name), scores[name]) for name in order if name in scores]


def read_tables(folder: Path) -> Tables:
    """The tables of all runs below `folder`, one comparison.

    Raises NasArenaError (one line) where there are no runs, where no condition is shared by more
    than half of them, or where two runs claim the same searcher and seed.
    """
    records, unreadable = read_runs(folder)
    return make_tables(select_runs(records, folder, unreadable), folder)


def make_tables(selection: RunSelection, folder: Path) -> Tables:
    """The tables of runs that were read; from `folder` comes only what a benchmark knows."""
    benchmark = read_benchmark(folder, selection.condition)
    runs, trials, finals, choices = [], [], [], []
    for run in selection.ranked:
        key = {"searcher": run.searcher, "seed": run.seed}
        own_trials, own_finals = trial_rows(run.record), final_rows(run.record)
        runs.append(key | totals(run.record, own_trials, own_finals))
        trials += [key | row for row in own_trials]
        finals += [key | row for row in own_finals]
        choices += [key | row for row in choice_rows(run.record)]
    references = [row for run in selection.references for row in reference_rows(run.record)]
    return Tables(
        runs=_table(runs, RUN_COLUMNS),
        trials=_with_worth(_table(trials, TRIAL_COLUMNS), benchmark),
        finals=_table(finals, FINAL_COLUMNS),
        references=_table(references, REFERENCE_COLUMNS),
        excluded=tuple(selection.excluded),
        condition=selection.condition,
        provenance=tuple(_provenance(run.record) for run in selection.ranked),
        seeds=tuple(sorted({run.seed for run in selection.ranked})),
        data_hash=_data_hash(selection.everything, benchmark),
        name=folder.resolve().name,
        controls=_controls(selection),
        benchmark=benchmark,
        score_unit=_score_unit(selection),
        choices=_table(choices, CHOICE_COLUMNS),
    )


def _score_unit(selection: RunSelection) -> str:
    """What the first scored trial says: its metrics hold the score under its own name."""
    scored = (trial for run in selection.ranked for trial in comparable(run.record.trials()))
    trial = next(scored, None)
    if trial is None or trial.score is None:
        return ""
    expected = {
        "nats": ("loss", -trial.score),
        "accuracy": ("accuracy", trial.score),
        "value": ("value", trial.score),
    }
    found = (unit for unit, (name, score) in expected.items() if trial.metrics.get(name) == score)
    return next(found, "")


def _with_worth(trials: pd.DataFrame, benchmark: Benchmark | None) -> pd.DataFrame:
    """The trials with their column `worth`."""
    if benchmark is None:
        return trials.assign(worth=trials["best_so_far"])
    worth = [benchmark.scores.get(str(pattern), np.nan) for pattern in trials["incumbent"]]
    return trials.assign(worth=np.array(worth, dtype=np.float64))


def _controls(selection: RunSelection) -> pd.DataFrame:
    rows = [
        {
            "searcher": run.searcher,
            "seed": run.seed,
            "control": control_of(run.record.config),
            "real": selection.real[run.searcher],
            **totals(run.record, trial_rows(run.record), final_rows(run.record)),
        }
        for run in selection.controls
    ]
    return _table(rows, CONTROL_COLUMNS)


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """A frame with these columns, whether or not there are rows; None becomes NaN in scores."""
    frame = pd.DataFrame({name: [row[name] for row in rows] for name in columns})
    for name in {"score", "final", "search_score"}.intersection(columns):
        frame[name] = frame[name].astype(float)
    return frame


def _provenance(record: RunRecord) -> Mapping[str, Any]:
    return {key: value for key, value in record.header.items() if key != "config"}


def _data_hash(runs: Sequence[Run], benchmark: Benchmark | None) -> str:
    """Hash of everything that was read, measured times included."""
    digest = hashlib.sha256(b"" if benchmark is None else benchmark.content.encode())
    for run in runs:
        content = [run.record.config, run.record.events]
        digest.update(json.dumps(content, sort_keys=True).encode())
    return digest.hexdigest()[:16]
