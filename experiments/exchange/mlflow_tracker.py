"""A run in MLflow: an experiment for each comparison, a run for each searcher and seed.

Where: MLflow's own default (MLFLOW_TRACKING_URI, else `mlflow.db` in the working folder).
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nasarena.experiments.exchange.event_metrics import Row
from nasarena.experiments.exchange.tracking import TrackedRun

_LONGEST, _MOST = 500, 1000  # signs of a parameter, numbers in one request: what MLflow takes
_STATES = {"finished": "FINISHED", "failed": "FAILED", "partial": "KILLED"}
_KEY = "nasarena.key"


class _MlflowRun:
    def __init__(self, run: TrackedRun) -> None:
        from mlflow import MlflowClient
        from mlflow.entities import Param, RunTag

        self._client = MlflowClient(run.where)
        found = self._client.get_experiment_by_name(run.comparison)
        experiment = (
            found.experiment_id if found else self._client.create_experiment(run.comparison)
        )
        for old in self._client.search_runs([experiment], f"tags.`{_KEY}` = '{run.key}'"):
            self._client.delete_run(old.info.run_id)
        self._id = self._client.create_run(experiment, run_name=run.name).info.run_id
        self._start_s = time.time()
        tags = {_KEY: run.key, "searcher": run.searcher}
        tags |= {name: str(run.header.get(name)) for name in ("command", "commit")}
        params = [
            Param(name, str(value)[:_LONGEST]) for name, value in flatten(run.header["config"])
        ]
        self._client.log_batch(
            self._id, params=params[:100], tags=[RunTag(*pair) for pair in tags.items()]
        )

    def log(self, rows: Sequence[Row]) -> None:
        from mlflow.entities import Metric

        metrics = [
            Metric(name, value, int(1000 * (self._start_s + row.at_s)), row.step)
            for row in rows
            for name, value in row.values.items()
        ]
        for first in range(0, len(metrics), _MOST):
            self._client.log_batch(self._id, metrics=metrics[first : first + _MOST])

    def end(self, state: str) -> None:
        self._client.set_terminated(self._id, _STATES[state])


begin = _MlflowRun


def flatten(config: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Settings under dotted names."""
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value
