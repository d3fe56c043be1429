"""A run in Weights & Biases: a project for each comparison, a run for each searcher and seed.

WANDB_MODE=offline keeps it on this machine; `wandb sync` sends it later.
"""

import os
from collections.abc import Sequence
from typing import Any

from nasarena.experiments.exchange.event_metrics import Row
from nasarena.experiments.exchange.tracking import TrackedRun
from nasarena.search.hashes import config_hash


class _WandbRun:
    def __init__(self, run: TrackedRun) -> None:
        import wandb

        made_here = {name: value for name, value in run.header.items() if name != "config"}
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", run.comparison),
            group=run.searcher,
            name=run.name,
            id=config_hash({"key": run.key}),  # the same run again is this run again
            config={**run.header["config"], "nasarena": made_here},
            dir=run.where,
            resume="allow",
            reinit="create_new",  # several runs go on at once
            settings=wandb.Settings(silent=True, console="off", disable_git=True),
        )
        # Re-trainings have a count of their own: a run has one step, which never goes back.
        self._run.define_metric("final_score", step_metric="final")
        self._run.define_metric("*", step_metric="trial")

    def log(self, rows: Sequence[Row]) -> None:
        for row in rows:
            counted = "final" if "final_score" in row.values else "trial"
            values: dict[str, Any] = {**row.values, counted: row.step, "at_s": row.at_s}
            self._run.log(values)

    def end(self, state: str) -> None:
        self._run.summary["state"] = state
        self._run.finish(exit_code=0 if state == "finished" else 1)


begin = _WandbRun
