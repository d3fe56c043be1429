"""Runs as studies in an Optuna storage, which optuna-dashboard and Optuna's own figures open.

A study for each run, `COMPARISON/SEARCHER/seed-K`, to be maximized, with a categorical parameter
for each layer. A trial without a score is a failed one; a partial training is a pruned one, its
score an intermediate value at the percentage that was trained. What else is known of a trial, its
cost among it, stands in its user attributes, the configuration in those of the study.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasarena.experiments.exchange.tracking import TrackedRun
from nasarena.search.run_folder import RunRecord
from nasarena.search.trial import Trial

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

_SQLITE = b"SQLite format 3"


def write_studies(records: Iterable[RunRecord], place: Path) -> None:
    """Write into a file, or into `optuna.log` of a folder; a study that is there is written anew.

    A file that ends on .db is SQLite's, which is far slower to write; any other is a journal.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = open_storage(place / "optuna.log" if place.is_dir() else place)
    there = {study.study_name for study in optuna.get_all_study_summaries(storage)}
    for record in records:
        run = TrackedRun(record.path, record.header)
        name = f"{run.comparison}/{run.name}"
        if name in there:
            optuna.delete_study(study_name=name, storage=storage)
        study = optuna.create_study(storage=storage, study_name=name, direction="maximize")
        study.set_user_attr("config", dict(record.config))
        study.set_user_attr("state", record.state)
        study.add_trials(_trials(record))


def open_storage(file: Path) -> "optuna.storages.BaseStorage":
    """The storage in a file, of whichever kind it is."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    is_database = file.suffix == ".db"
    if file.is_file():
        with open(file, "rb") as content:
            is_database = content.read(len(_SQLITE)) == _SQLITE
    if is_database:
        return optuna.storages.RDBStorage(f"sqlite:///{file.resolve()}")
    return optuna.storages.JournalStorage(JournalFileBackend(str(file)))


def _trials(record: RunRecord) -> list["FrozenTrial"]:
    start = datetime.fromisoformat(record.header.get("date", "1970-01-01T00:00:00+00:00"))
    start = start.replace(tzinfo=None)
    distributions = layer_distributions(record.config.get("space", {}))
    trials = []
    for event in record.of_kind("settled"):
        measured = event.get("measured", {})
        trial = _trial(Trial.from_json(event["trial"]), distributions)
        trial.datetime_complete = start + timedelta(seconds=measured.get("at_s", 0.0))
        trial.datetime_start = trial.datetime_complete - timedelta(seconds=measured.get("s", 0.0))
        trial.set_user_attr("spent", event["spent"])
        trials.append(trial)
    return trials


def layer_distributions(space: Any) -> dict[str, "BaseDistribution"]:
    """The parameters of a space of patterns; none for a space of another kind."""
    from optuna.distributions import CategoricalDistribution

    if not {"alphabet", "depth"} <= set(space):
        return {}
    return {
        f"layer_{place:02d}": CategoricalDistribution(list(space["alphabet"]))
        for place in range(space["depth"])
    }


def _trial(trial: Trial, distributions: dict[str, "BaseDistribution"]) -> "FrozenTrial":
    from optuna.trial import TrialState, create_trial

    facts = {
        "pattern": trial.pattern,
        "status": trial.status,
        "provenance": trial.provenance,
        "note": trial.note,
        "flops": trial.cost.flops,
        "tokens": trial.cost.tokens,
        "device_seconds": trial.cost.device_seconds,
        "duplicate_of": trial.duplicate_of,
        **{f"metrics/{name}": value for name, value in trial.metrics.items()},
    }
    facts = {name: value for name, value in facts.items() if value not in (None, "")}
    is_pattern = trial.status != "invalid" and len(trial.pattern) == len(distributions)
    params = dict(zip(distributions, trial.pattern, strict=True)) if is_pattern else {}
    own = distributions if is_pattern else {}
    if trial.score is None:
        state, value, steps = TrialState.FAIL, None, {}
    elif trial.is_partial:
        step = max(1, round(100 * trial.fidelity))
        state, value, steps = TrialState.PRUNED, None, {step: trial.score}
    else:
        state, value, steps = TrialState.COMPLETE, trial.score, {}
    return create_trial(
        state=state,
        value=value,
        params=params,
        distributions=own,
        user_attrs=facts,
        intermediate_values=steps,
    )
