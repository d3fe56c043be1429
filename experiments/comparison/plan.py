"""A comparison: its cells, what of them is left to do, and doing it.

Only missing and partial runs are run. A failed one would fail again, for a replay asks the same;
it is left alone unless `retry_failed`. A folder that holds anything of another configuration is
refused before a single trial is trained, unless `overwrite`.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from nasarena.experiments.comparison.budget import price_budget
from nasarena.experiments.comparison.continued_run import refuse_foreign_records, resolve_entrant
from nasarena.experiments.comparison.llm import default_agent_options
from nasarena.experiments.comparison.permuted import with_controls
from nasarena.experiments.comparison.records import Records
from nasarena.experiments.comparison.resolved_searcher import (
    NO_OBJECTS,
    Entrant,
    refuse_letters,
    resolve_searcher,
    unique_labels,
)
from nasarena.experiments.comparison.run_spec import RunSpec
from nasarena.experiments.comparison.seeded import refuse_senseless_seeds
from nasarena.experiments.comparison.versions import number_versions
from nasarena.experiments.execution.provenance import provenance
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.settings.choices import ProxyConfig
from nasarena.experiments.settings.commands import evaluate_settings
from nasarena.experiments.settings.config import CompareConfig, LoopConfig, SearcherConfig
from nasarena.search.budget import Budget
from nasarena.search.candidates.protocol import describe_space
from nasarena.search.errors import InvalidSetting, NasArenaError
from nasarena.search.hashes import config_hash
from nasarena.search.loop import LoopSettings
from nasarena.search.proxy import Proxy
from nasarena.search.run_config import REFERENCES
from nasarena.search.run_folder import State
from nasarena.search.searcher import SearcherSpec
from nasarena.search.space import PatternSpace
from nasarena.search.untrusted.bounded_read import read_bounded
from nasarena.search.untrusted.drafts import replace_text

PLAN = "plan.json"
_REFERENCE_SEEDS = 3  # lines in figures and no entrants: a mean over more would only cost
_DEFAULT_FINALISTS = LoopSettings(0, Budget("trials", 1)).finalists
SAME = "same"  # final_proxy: the proxy searched, whatever it stands for


@dataclass(frozen=True, slots=True)
class Comparison:
    """All cells of a comparison, and where they lie.

    `is_ranked`: a benchmark ranks the patterns in its whole space, which takes a pass over it.
    """

    folder: Path
    cells: list[RunSpec]
    budget: Budget
    records: Records = field(repr=False)
    is_ranked: bool = True

    def state(self, cell: RunSpec) -> State:
        """Where a run of it stands."""
        return self.records.state(cell.path)

    def select_pending(self, retry_failed: bool) -> list[RunSpec]:
        """What is missing or was cut off, and on demand what failed."""
        ended = ("finished",) if retry_failed else ("finished", "failed")
        return [cell for cell in self.cells if self.state(cell) not in ended]


def plan_comparison(
    config: CompareConfig,
    command: str,
    objects: Mapping[str, SearcherSpec] = NO_OBJECTS,
    is_ranked: bool = True,
) -> Comparison:
    """The comparison of these settings; nothing is written yet. `objects` as `resolve_searcher`.

    Raises InvalidSetting for anything in the settings that cannot work.
    """
    proxy = build_proxy(config.proxy, config.space, config.cache)
    judge = _judge(config, proxy)
    budget, num_trials = price_budget(config.budget, proxy)
    loop = _with_finalists(config.loop, num_trials)
    entrants = _entrants(config, objects, num_trials)
    for entrant in entrants:
        if not isinstance(config.space, PatternSpace):
            refuse_letters(entrant, config.space)
        if entrant.control == "seeded" and isinstance(config.space, PatternSpace):
            design = config.loop.initial_design
            refuse_senseless_seeds(entrant.name, config.space, design, num_trials)
    made_here = provenance(command)
    name = config.name or _default_name(config, loop, proxy, budget, judge)
    folder = Path(config.folder) / name
    if not config.overwrite:
        entrants = number_versions(entrants, folder)

    def cell(entrant: Entrant, settings: LoopSettings) -> RunSpec:
        return RunSpec(
            path=folder / entrant.label / f"seed-{settings.seed}",
            entrant=entrant,
            proxy=config.proxy,
            proxy_version=proxy.version,
            space=config.space,
            settings=settings,
            num_trials=num_trials,
            cache=config.cache,
            provenance=made_here,
            judge=judge,
        )

    seeds = range(config.first_seed, config.first_seed + config.seeds)
    all_settings = [LoopSettings(seed, budget, **asdict(loop)) for seed in seeds]
    searching = [cell(entrant, settings) for settings in all_settings for entrant in entrants]
    refuse_foreign_records(config.searchers, searching)
    references = resolve_searcher(SearcherConfig(REFERENCES, {}))
    scoring = [
        cell(references, settings) for settings in _settings_of_references(config, all_settings)
    ]
    cells = _order(searching) + scoring
    return Comparison(folder, cells, budget, Records(folder), is_ranked)


def _entrants(
    config: CompareConfig, objects: Mapping[str, SearcherSpec], num_trials: int
) -> list[Entrant]:
    """The searchers of the list under labels of their own, those of this slice alone.

    Raises InvalidSetting for a slice without any.
    """
    suited = default_agent_options(config.llm, config.space)
    wanted = with_controls(config.searchers, config.controls)
    entrants = unique_labels(
        [resolve_entrant(searcher, suited, objects, num_trials) for searcher in wanted]
    )
    if config.only:
        labels = [entrant.label for entrant in entrants]
        entrants = [one for one in entrants if any(fnmatch(one.label, o) for o in config.only)]
        if not entrants:
            raise InvalidSetting(f"only={list(config.only)} is none of {', '.join(labels)}")
    if config.llm_label is None:
        return entrants
    return [
        replace(one, label=f"{one.label}-{config.llm_label}") if one.uses_llm else one
        for one in entrants
    ]


def _with_finalists(loop: LoopConfig, num_trials: int) -> LoopConfig:
    """The rules with a number of finalists that a run can have."""
    if loop.finalists is None:
        return replace(loop, finalists=min(_DEFAULT_FINALISTS, num_trials))
    if loop.finalists > num_trials:
        raise InvalidSetting(
            f"loop.finalists must be at most the {num_trials} patterns that a run's budget pays "
            f"for, got {loop.finalists}"
        )
    return loop


def _judge(config: CompareConfig, proxy: Proxy) -> tuple[ProxyConfig, str] | None:
    """What trains the best patterns again, where it is not the proxy searched: what the user
    named, else what a benchmark stands for."""
    name = config.final_proxy or proxy.abilities.stands_for
    if name is None or name in (SAME, config.proxy.name):
        return None
    overrides = () if config.final_proxy else proxy.abilities.overrides
    chosen = evaluate_settings([f"proxy={name}", *overrides]).proxy
    return chosen, build_proxy(chosen, config.space, config.cache).version


def _default_name(
    config: CompareConfig,
    loop: LoopConfig,
    proxy: Proxy,
    budget: Budget,
    judge: tuple[ProxyConfig, str] | None,
) -> str:
    """Proxy and a hash of what all runs share: searchers and seeds can be added to it later."""
    shared = {"proxy": proxy.version, "budget": asdict(budget), "loop": asdict(loop)}
    if judge:
        shared["final_proxy"] = judge[1]
    return (
        f"{config.proxy.name}-{config_hash(shared | {'space': describe_space(config.space)})[:8]}"
    )


def _settings_of_references(
    config: CompareConfig, all_settings: Sequence[LoopSettings]
) -> list[LoopSettings]:
    """Every reference is trained once, and once more on held-out data; nobody is charged."""
    from nasarena.baselines.references import named_candidates

    count = len(named_candidates(config.space)) if config.references else 0
    if not count:
        return []
    budget = Budget("trials", count)
    return [
        replace(settings, budget=budget, initial_design=0, finalists=count)
        for settings in all_settings[:_REFERENCE_SEEDS]
    ]


def _order(cells: list[RunSpec]) -> list[RunSpec]:
    """Seed by seed, so that pairs are complete early; those that lean on a library first, for
    they think longest."""
    return sorted(cells, key=lambda cell: (cell.seed, cell.entrant.requires is None))


def write_plan(comparison: Comparison, command: str) -> None:
    """Note which runs the comparison is to have, for `nasarena status`, beside those it has."""
    before = read_plan(comparison.folder)
    runs = [str(cell.path.relative_to(comparison.folder)) for cell in comparison.cells]
    _write(comparison.folder, command, list(dict.fromkeys([*before["runs"], *runs])))


def forget_refused(comparison: Comparison) -> None:
    """Take runs out of the plan that left nothing behind: their settings cannot work."""
    plan = read_plan(comparison.folder)
    gone = {cell.path for cell in comparison.cells if not cell.path.exists()}
    runs = [run for run in plan["runs"] if comparison.folder / run not in gone]
    if not runs:
        (comparison.folder / PLAN).unlink(missing_ok=True)
        with suppress(OSError):  # something else lies there
            comparison.folder.rmdir()
    elif runs != plan["runs"]:
        _write(comparison.folder, plan["command"], runs)


def _write(folder: Path, command: str, runs: Sequence[str]) -> None:
    plan = {"command": command, "runs": runs}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_text(folder / PLAN, json.dumps(plan, indent=1) + "\n")
    except OSError as error:
        raise NasArenaError(f"cannot write to {folder}: {error.strerror}") from error


def read_plan(folder: Path) -> dict[str, Any]:
    """The last command and all planned runs, as paths below the folder; empty without a plan."""
    try:
        plan: dict[str, Any] = json.loads(read_bounded(folder / PLAN))
        return {"command": str(plan["command"]), "runs": list(filter(_lies_below, plan["runs"]))}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {"command": "", "runs": []}


def _lies_below(run: object) -> bool:
    """Whether this is a path that stays in the folder it is taken from."""
    return isinstance(run, str) and not Path(run).is_absolute() and ".." not in Path(run).parts
