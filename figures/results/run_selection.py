"""Which runs of a folder may be compared with one another, and why the others may not.

Three questions in turn: is the run whole, with something scored; was it made under the condition
that most share (proxy version, space, budget, loop settings); and does it lie in the largest
complete block of searchers x seeds, so that all searchers kept have the same seeds. A run that
fails one is excluded with the reason in words. Reference patterns need the same proxy and space
only: they search nothing and are never ranked. Nor are controls (a searcher behind permuted
letters, or told the references first): each needs its real thing beside it, on every seed.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasarena.figures.results.rows import final_rows, valid_retrainings
from nasarena.search.errors import NasArenaError
from nasarena.search.run_config import (
    condition,
    control_of,
    difference,
    is_reference,
    label,
    options_apart,
)
from nasarena.search.run_folder import RunRecord
from nasarena.search.untrusted.one_line import one_line

_LONGEST_LABEL = 200  # what a figure can show is far shorter
_ALL_READ: Mapping[Path, str] = {}


@dataclass(frozen=True, slots=True, eq=False)  # one run is itself alone, and can be a key
class Run:
    """A run as read, with the label that figures show for its searcher."""

    searcher: str
    record: RunRecord

    @property
    def seed(self) -> int:
        return int(self.record.config["loop"]["seed"])


@dataclass(frozen=True, slots=True)
class ExcludedRun:
    """A run that is not averaged over, and why.

    One that cannot be read is called by its folder and has no seed.
    """

    searcher: str
    seed: int | None
    state: str
    reason: str

    @property
    def standing(self) -> str:
        """Seed and state."""
        return self.state if self.seed is None else f"seed {self.seed}, {self.state}"


@dataclass(frozen=True, slots=True)
class RunSelection:
    """Runs to compare, ordered by (searcher, seed) and all made under `condition`.

    `everything` is every run that was read, excluded ones too. `real` leads from the searcher of a
    run in `controls` to the one in `ranked` that it is a control of.
    """

    everything: list[Run]
    ranked: list[Run]
    references: list[Run]
    excluded: list[ExcludedRun]
    condition: dict[str, Any]
    controls: list[Run]
    real: dict[str, str]


def select_runs(
    records: Sequence[RunRecord], folder: Path, unreadable: Mapping[Path, str] = _ALL_READ
) -> RunSelection:
    """Sort the runs read from `folder` into those to compare, the references, and the excluded.

    `unreadable` are run folders that could not be read, with the reason. Raises NasArenaError where
    there are none, where two have the same searcher and seed, or where no condition is shared by
    more than half of them.
    """
    foreign = {record.path: fault for record in records if (fault := _foreign_fault(record))}
    apart = {**unreadable, **foreign}
    labelled, references = _label_runs([one for one in records if one.path not in foreign])
    controls = [run for run in labelled if control_of(run.record.config)]
    searching = [run for run in labelled if run not in controls]
    if not searching:
        raise NasArenaError(
            f"{folder} holds no run of a searcher; give the folder of a comparison, "
            f"such as runs/<comparison>, or make one with `nasarena compare`"
            + "".join(f"; {reason}" for reason in list(apart.values())[:1])
        )
    _refuse_twins(labelled)
    shared = _majority_condition(searching, folder)
    reasons = {run: _fault(run, shared) for run in searching}
    whole = [run for run in searching if not reasons[run]]
    block, outside = _complete_block(whole)
    reasons.update(outside)
    seeds = {run.seed for run in block} or {run.seed for run in searching}
    reasons.update({run: _reference_fault(run, shared, seeds) for run in references})
    real = {run.searcher: _real_thing(run, block) for run in controls}
    reasons.update({run: _fault(run, shared) for run in controls})
    reasons.update(
        _controls_without_pair([run for run in controls if not reasons[run]], real, seeds)
    )
    return RunSelection(
        everything=[*labelled, *references],
        ranked=block,
        references=[run for run in references if not reasons[run]],
        excluded=_exclusions(reasons, apart, folder),
        condition=shared,
        controls=[run for run in controls if not reasons[run]],
        real=real,
    )


def _exclusions(
    reasons: Mapping[Run, str], apart: Mapping[Path, str], folder: Path
) -> list[ExcludedRun]:
    """Runs with a reason, then folders that are no run that could be read."""
    runs = [
        ExcludedRun(run.searcher, run.seed, run.record.state, reason)
        for run, reason in reasons.items()
        if reason
    ]
    return runs + [
        ExcludedRun(str(path.relative_to(folder)), None, "unreadable", reason)
        for path, reason in sorted(apart.items())
    ]


def _foreign_fault(record: RunRecord) -> str:
    """What the header lacks that every comparison writes, or an empty string."""
    for keys in (("searcher", "name"), ("proxy", "name"), ("budget", "unit"), ("loop", "seed")):
        value: Any = record.config
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is None:
            return (
                f"{record.path / 'run.json'} must say config.{'.'.join(keys)}; "
                f"it was not written by a nasarena comparison"
            )
    header, config = record.path / "run.json", record.config
    if not isinstance(config["loop"]["seed"], int):
        return f"{header} must have an integer as config.loop.seed"
    if len(label(config)) > _LONGEST_LABEL:
        return f"{header} must call its searcher by at most {_LONGEST_LABEL} signs"
    return ""


def _label_runs(records: Sequence[RunRecord]) -> tuple[list[Run], list[Run]]:
    """Runs of searchers and of reference patterns, ordered by label and seed.

    Two option sets of one searcher are two searchers: the options that differ join the name.
    """
    options: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        options.setdefault(label(record.config), []).append(_options(record))
    runs = []
    for record in records:
        name = label(record.config)
        own = options_apart(_options(record), options[name])
        runs.append(Run(f"{name} ({', '.join(own)})" if own else name, record))
    runs.sort(key=lambda run: (run.searcher, run.seed))
    references = [run for run in runs if is_reference(run.record.config)]
    return [run for run in runs if not is_reference(run.record.config)], references


def _options(record: RunRecord) -> Mapping[str, Any]:
    return record.config["searcher"].get("options") or {}


def _refuse_twins(runs: Iterable[Run]) -> None:
    seen: dict[tuple[str, int], Run] = {}
    for run in runs:
        twin = seen.setdefault((run.searcher, run.seed), run)
        if twin is not run:
            raise NasArenaError(
                f"two runs of {run.searcher} with seed {run.seed}: {twin.record.path} and "
                f"{run.record.path}; give the folder of one comparison"
            )


def _majority_condition(runs: Sequence[Run], folder: Path) -> dict[str, Any]:
    texts = Counter(json.dumps(condition(run.record.config), sort_keys=True) for run in runs)
    (first, count), *others = texts.most_common()
    majority: dict[str, Any] = json.loads(first)
    if count * 2 <= len(runs):
        words = difference(json.loads(others[0][0]), majority)
        raise NasArenaError(
            f"{folder} mixes runs that cannot be compared ({words}), and neither kind is the "
            f"majority; give the folder of one comparison"
        )
    return majority


def _fault(run: Run, shared: Mapping[str, Any]) -> str:
    """Why a run cannot be compared, or an empty string."""
    own = json.loads(json.dumps(condition(run.record.config)))
    if own != shared:
        return f"made under another condition: {difference(own, shared)}"
    return _incomplete_reason(run) or _no_score_reason(run)


def _reference_fault(run: Run, shared: Mapping[str, Any], seeds: set[int]) -> str:
    own = condition(run.record.config)
    for key in ("proxy", "final_proxy", "space"):
        if own[key] != shared[key]:
            return f"made under another condition: {difference(own, shared)}"
    if run.seed not in seeds:
        return f"no searcher is compared on seed {run.seed}"
    return _incomplete_reason(run)


def _real_thing(control: Run, block: Iterable[Run]) -> str:
    """The searcher that `control` is a control of; empty if it is not in the block."""
    wanted = _identity(control)
    return next((run.searcher for run in block if _identity(run) == wanted), "")


def _identity(run: Run) -> dict[str, Any]:
    """What makes a searcher what it is, apart from its label and from what is hidden from it."""
    config = run.record.config
    settings = {**config["searcher"], "llm": config.get("llm")}
    return {key: settings[key] for key in settings if key not in ("label", "control")}


def _controls_without_pair(
    controls: Sequence[Run], real: Mapping[str, str], seeds: set[int]
) -> Iterator[tuple[Run, str]]:
    """Controls that lack their real thing or a seed of it, and why that excludes them."""
    for run in controls:
        own = {other.seed for other in controls if other.searcher == run.searcher}
        if not real[run.searcher]:
            yield run, "a control without its real thing: that one is not compared here"
        elif run.seed not in seeds:
            yield run, f"no searcher is compared on seed {run.seed}"
        elif missing := sorted(seeds - own):
            yield run, f"a control that lacks seed {missing[0]} of its real thing"


def _incomplete_reason(run: Run) -> str:
    events = run.record.events
    if run.record.state == "failed":
        return one_line(events[-1].get("reason", "failed"))
    if run.record.state != "finished":
        settled = sum(event["event"] == "settled" for event in events)
        return f"not finished: it stands at {settled} trials; the command that began it resumes it"
    return ""


def _no_score_reason(run: Run) -> str:
    trials = run.record.trials()
    if not any(trial.status == "ok" and not trial.is_partial for trial in trials):
        notes = [trial.note for trial in trials if trial.note]
        in_full = " in full" if any(trial.is_partial for trial in trials) else ""
        return f"none of its {len(trials)} trials was scored{in_full}" + (
            f", the last: {notes[-1]}" if notes else ""
        )
    finals = final_rows(run.record)
    if finals and not valid_retrainings(finals):
        failed = [event["outcome"] for event in run.record.of_kind("final")]
        failed = [outcome for outcome in failed if outcome["status"] != "ok"]
        return (
            f"{len(failed)} of its {len(finals)} re-trainings failed, so it has no final score: "
            f"{failed[-1].get('note', '')}"
        )
    return ""


def _complete_block(runs: Sequence[Run]) -> tuple[list[Run], dict[Run, str]]:
    """The largest block of searchers that all have the same seeds, and why others are outside.

    Searchers join in the order of their number of seeds; the step with the most cells wins, of
    equal ones the step with more searchers.
    """
    seeds_of: dict[str, set[int]] = {}
    for run in runs:
        seeds_of.setdefault(run.searcher, set()).add(run.seed)
    joined: list[str] = []
    common: set[int] = set()
    best: tuple[list[str], set[int]] = ([], set())
    for searcher in sorted(seeds_of, key=lambda name: (-len(seeds_of[name]), name)):
        common = common & seeds_of[searcher] if joined else set(seeds_of[searcher])
        joined.append(searcher)
        if len(joined) * len(common) >= len(best[0]) * len(best[1]):
            best = (list(joined), set(common))
    searchers, seeds = best
    inside = [run for run in runs if run.searcher in searchers and run.seed in seeds]
    block = f"the block of {len(searchers)} searchers that share {len(seeds)} seeds"
    outside = {
        run: (
            f"seed {run.seed} is missing for another searcher: it is outside {block}"
            if run.searcher in searchers
            else f"it lacks seeds that the others have: it is outside {block}"
        )
        for run in runs
        if run not in inside
    }
    return inside, outside
