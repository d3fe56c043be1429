"""An Optuna study as a run: its trials as if a searcher had asked them, in the order they ended.

The pattern of a trial is its user attribute `pattern`, or its categorical parameters in the order
of the study's, one letter each. What a training cost is not known, so the budget counts trials. A
score of a study that minimizes is turned round. A repeated pattern is one more training of it.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasarena.experiments.exchange.optuna_storage import open_storage
from nasarena.experiments.settings.exchange_settings import ImportConfig
from nasarena.search.budget import Budget, Ledger
from nasarena.search.errors import InvalidSetting
from nasarena.search.journal import Journal
from nasarena.search.loop import LoopSettings
from nasarena.search.run_folder import RunFolder
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Proposal, Trial

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial


def load_study(storage: str, name: str | None) -> "Study":
    """A study of a storage: an address such as sqlite:///file.db, or a file. Raises InvalidSetting
    where there is none of this name, or several and no name."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    is_address = "://" in storage
    if not is_address and not Path(storage).is_file():
        raise InvalidSetting(f"an Optuna storage is expected, there is no file {storage!r}")
    try:
        opened = storage if is_address else open_storage(Path(storage))
        names = [study.study_name for study in optuna.get_all_study_summaries(opened)]
    except Exception as error:  # of whatever database it is
        raise InvalidSetting(f"{storage} cannot be read as an Optuna storage: {error}") from error
    if name is None and len(names) != 1 or name is not None and name not in names:
        raise InvalidSetting(
            f"study must name one of the {len(names)} studies of {storage}: "
            f"{', '.join(names[:5])}{' ...' if len(names) > 5 else ''}, got {name}"
        )
    return optuna.load_study(study_name=name or names[0], storage=opened)


def write_run(study: "Study", config: ImportConfig, provenance: dict[str, Any]) -> Path:
    """Write a study as a finished run; the run folder. Raises InvalidSetting for a study whose
    trials are no patterns of one space."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    if not trials or len(study.directions) != 1:
        raise InvalidSetting(
            f"study {study.study_name} must have one objective and trials that ended, it has "
            f"{len(study.directions)} and {len(trials)}"
        )
    trials.sort(key=lambda trial: (str(trial.datetime_complete), trial.number))
    patterns = [_pattern(trial) for trial in trials]
    space = _space(trials, patterns)
    sign = 1.0 if study.direction.name == "MAXIMIZE" else -1.0
    budget = Budget("trials", len(trials))
    loop = LoopSettings(config.seed, budget, initial_design=0, duplicates="retrain", finalists=0)
    label = config.label or study.study_name.replace("/", "-")
    path = Path(config.folder) / config.name / label / f"seed-{config.seed}"
    settings = asdict(loop)
    settings.pop("budget")
    written = {
        "searcher": {"name": label, "options": {}, "budget_aware": False, "uses_llm": False},
        "proxy": {"name": config.objective, "options": {}, "version": "imported"},
        "space": asdict(space),
        "budget": asdict(budget),
        "loop": settings,
    }
    with RunFolder(path, written, provenance) as folder:
        journal = Journal(folder)
        if not journal.is_finished:
            _record(journal, trials, patterns, space, sign, budget)
    return path


def _pattern(trial: "FrozenTrial") -> str:
    found = trial.user_attrs.get("pattern")
    return str(found) if found else "".join(str(value) for value in trial.params.values())


def _space(trials: Sequence["FrozenTrial"], patterns: Sequence[str]) -> PatternSpace:
    """The letters of the study's parameters, else those of its patterns."""
    letters: dict[str, None] = {}
    for trial in trials:
        for distribution in trial.distributions.values():
            letters |= dict.fromkeys(map(str, getattr(distribution, "choices", ())))
    scored = [one for one, trial in zip(patterns, trials, strict=True) if _score(trial) is not None]
    depths = {len(pattern) for pattern in scored}
    signs = "".join([*letters, *scored])
    if len(depths) != 1 or not signs.isalpha() or any(len(letter) != 1 for letter in letters):
        raise InvalidSetting(
            f"study: every trial with a value must be a pattern, one letter for each layer, in its "
            f"user attribute `pattern` or its parameters; got {', '.join(sorted(set(scored))[:3])}"
        )
    return PatternSpace("".join(letters) or "".join(sorted(set("".join(scored)))), depths.pop())


def _score(trial: "FrozenTrial") -> float | None:
    return trial.value if trial.state.name == "COMPLETE" else None


def _record(
    journal: Journal,
    trials: Sequence["FrozenTrial"],
    patterns: Sequence[str],
    space: PatternSpace,
    sign: float,
    budget: Budget,
) -> None:
    """The events of a run that asked these patterns one by one."""
    ledger = Ledger(budget)
    times: dict[str, int] = {}
    for index, (found, pattern) in enumerate(zip(trials, patterns, strict=True)):
        score = _score(found)
        proposal = Proposal(pattern, provenance="optuna", details={"trial": str(found.number)})
        journal.record_ask(index, [proposal], {})
        trial = Trial(
            index,
            pattern,
            "ok" if score is not None else "failed" if pattern in space else "invalid",
            score=None if score is None else sign * score,
            replicate=times.get(pattern, 0),
            provenance="optuna",
            details=dict(proposal.details),
            note="" if score is not None else f"{found.state.name.lower()} in Optuna",
        )
        if trial.status != "invalid":
            times[pattern] = times.get(pattern, 0) + 1
            ledger.spent += 1
        seconds = found.duration.total_seconds() if found.duration else 0.0
        journal.record_trial(trial, ledger, seconds)
    journal.record_search_end("every trial of the study is there", ledger)
    journal.record_run_end()
