"""A hand-over as it enters a comparison: both searchers found, or the first one read off a record.

`then.record` continues a run that was finished before: what it asked is asked again, and charged,
in a run folder of its own until the share is spent. The recorded proposals become part of the new
run's configuration, so it needs the old folder no more, and nothing is written into that.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nasarena.experiments.comparison.hand_over import to_json
from nasarena.experiments.comparison.resolved_searcher import (
    NO_OBJECTS,
    RECORD,
    Entrant,
    label_suffix,
    resolve_searcher,
)
from nasarena.experiments.comparison.run_spec import RunSpec
from nasarena.experiments.settings.config import SearcherConfig
from nasarena.search.errors import InvalidSetting, RunFolderRefused
from nasarena.search.run_config import REFERENCES, condition, difference, label
from nasarena.search.run_folder import RunRecord, read_run
from nasarena.search.searcher import SearcherSpec
from nasarena.search.trial import Proposal, Trial


def resolve_entrant(
    config: SearcherConfig,
    suited: Mapping[str, Any] | None = None,
    objects: Mapping[str, SearcherSpec] = NO_OBJECTS,
    num_trials: int | None = None,
) -> Entrant:
    """As `resolve_searcher`, also for one that is continued by another.

    Defaults that follow the budget are those of its share for the first, and those of the whole for
    the second, which is told all trials. Raises InvalidSetting as `resolve_searcher`, and for a
    record that cannot be continued.
    """
    then = config.then
    if then.name is None:
        return resolve_searcher(config, suited, objects, num_trials)
    own_part = None if num_trials is None else max(1, round(then.share * num_trials))
    if then.record is None:
        alone = SearcherConfig(config.name, config.options)
        first = resolve_searcher(alone, suited, objects, own_part)
    else:
        first = _recorded_entrant(_read_finished(then.record))
    second = resolve_searcher(SearcherConfig(then.name, then.options), suited, objects, num_trials)
    parts = (first, second)
    if any(part.name == REFERENCES for part in parts):
        raise InvalidSetting(f"then needs two searchers, {REFERENCES!r} searches nothing")
    name = f"{first.name}-then-{second.name}"
    described = {"first": first.config(), "then": second.config(), "share": then.share}
    return Entrant(
        label=(config.label or name) + label_suffix(config.control),
        name=name,
        target=name,
        options=described,
        budget_aware=any(part.budget_aware for part in parts),
        uses_llm=any(part.uses_llm for part in parts),
        requires=first.requires or second.requires,
        control=config.control,
        stays_here=first.stays_here or second.stays_here,
        parts=parts,
    )


def refuse_foreign_records(searchers: Sequence[SearcherConfig], cells: Sequence[RunSpec]) -> None:
    """Raise InvalidSetting where a run to be continued was made under another condition."""
    for record in (one.then.record for one in searchers):
        for cell in cells if record is not None else ():
            found = _read_finished(record or "").config
            theirs, ours = (json.loads(json.dumps(condition(c))) for c in (found, cell.config))
            if theirs != ours:
                raise InvalidSetting(
                    f"then.record={record} was made under another condition: "
                    f"{difference(theirs, ours)}; give the settings that it was made with"
                )
            if found["loop"]["seed"] != cell.seed:
                seed = found["loop"]["seed"]
                raise InvalidSetting(
                    f"then.record={record} is of seed {seed}, not {cell.seed}; give seed={seed}"
                )


def _read_finished(path: str) -> RunRecord:
    """The record of a finished run of a searcher. Raises InvalidSetting for anything else."""
    try:
        record = read_run(Path(path))
    except RunFolderRefused as error:
        raise InvalidSetting(
            f"then.record must be the folder of a finished run, as runs/NAME/SEARCHER/seed-0: "
            f"{error}"
        ) from error
    if record.state != "finished":
        raise InvalidSetting(
            f"then.record={path} is {record.state}, and only a finished run can be continued; what "
            f"it holds is kept, the command that began it resumes it"
        )
    return record


def _recorded_entrant(record: RunRecord) -> Entrant:
    """A finished run in the part of the first searcher; no model is asked for it again."""
    asks = [_ask_again(trial) for trial in record.trials() if trial.provenance != "initial_design"]
    searcher = record.config["searcher"]
    return Entrant(
        label=label(record.config),
        name=label(record.config) if searcher["name"] != REFERENCES else REFERENCES,
        target=RECORD,
        options={"of": record.header["config_hash"], "asks": [to_json(ask) for ask in asks]},
        budget_aware=bool(searcher.get("budget_aware")),
        uses_llm=False,
        requires=None,
        asks=tuple(asks),
    )


def _ask_again(trial: Trial) -> Proposal:
    return Proposal(
        trial.pattern,
        trial.provenance,
        trial.parents,
        dict(trial.details),
        trial.llm,
        trial.fidelity,
    )
