"""A searcher as it enters a comparison: found, its options checked, its source on record.

The options are complete: what the user did not give is there with its default, so that a run
folder says everything and a default that changes is another configuration.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nasarena.agents.agent_searcher import NO_PROGRAMS
from nasarena.agents.options import UNSAID
from nasarena.experiments.comparison.source_hash import source_hash
from nasarena.experiments.settings.config import Control, SearcherConfig
from nasarena.experiments.settings.registry import load_searcher, one_line
from nasarena.search.candidates.program_space import ProgramSpace
from nasarena.search.candidates.protocol import Space
from nasarena.search.errors import InvalidSetting
from nasarena.search.run_config import options_apart
from nasarena.search.searcher import SearcherSpec, refuse_missing_package, spec_of
from nasarena.search.settings import ByBudget
from nasarena.search.trial import Proposal

NO_OBJECTS: Mapping[str, SearcherSpec] = {}
RECORD = "record"  # the target of a searcher of which there are recorded proposals alone


@dataclass(frozen=True, slots=True)
class Entrant:
    """`target` is what `load_searcher` takes; `source` hashes the file of a user's searcher.

    A searcher that is a Python object is `own`; `stays_here` says why no worker can be sent it.
    Two searchers of which one goes on where the other ends are `parts`; `asks` are the proposals of
    a recorded run that is the first of them.
    """

    label: str
    name: str
    target: str
    options: Mapping[str, Any]
    budget_aware: bool
    uses_llm: bool
    requires: str | None
    source: str | None = None
    control: Control = "none"
    own: Callable[..., Any] | None = None
    stays_here: str | None = None
    parts: tuple["Entrant", ...] = ()
    asks: tuple[Proposal, ...] = ()

    @property
    def is_of_the_user(self) -> bool:
        """Whether code runs in it that is not ours."""
        return any(one.source is not None for one in self.parts or (self,))

    @property
    def max_parallel(self) -> int | None:
        """How many patterns one ask may be for; two parts mind their own bounds."""
        return None if self.parts else self.spec().max_parallel

    @property
    def noise(self) -> float:
        """What it was told of the noise of scores; 0 where nothing was."""
        return max(one.options.get("noise") or 0.0 for one in self.parts or (self,))

    @property
    def distinguishing_options(self) -> Mapping[str, Any]:
        """What joins its label where another has the same one."""
        if not self.parts:
            return self.options
        own = {f"{part.name}.{k}": v for part in self.parts for k, v in part.options.items()}
        return {"share": self.options["share"], **{k: v for k, v in own.items() if "asks" not in k}}

    def spec(self) -> SearcherSpec:
        """What its author declared, its code included."""
        return load_searcher(self.target) if self.own is None else spec_of(self.own)

    def random_fill(self) -> dict[str, int]:
        """The options that say how many random patterns it begins with, by name."""
        if self.parts:
            fills = {part.name: part.random_fill() for part in self.parts if part.target != RECORD}
            return {f"{name}.{key}": fill[key] for name, fill in fills.items() for key in fill}
        declared = self.spec().options()
        return {
            name: value
            for name, value in self.options.items()
            if isinstance(declared.get(name), ByBudget)
        }

    def config(self) -> dict[str, Any]:
        """What `run.json` says about the searcher."""
        values: dict[str, Any] = {
            "name": self.name,
            "options": dict(self.options),
            "budget_aware": self.budget_aware,
            "uses_llm": self.uses_llm or any(ask.llm for one in self.parts for ask in one.asks),
        }
        if self.label != self.name:
            values["label"] = self.label
        if self.source is not None:
            values |= {"path": self.target, "source": self.source}
        if self.control != "none":
            values["control"] = self.control
        return values


def resolve_searcher(
    config: SearcherConfig,
    suited: Mapping[str, Any] | None = None,
    objects: Mapping[str, SearcherSpec] = NO_OBJECTS,
    num_trials: int | None = None,
) -> Entrant:
    """Find a searcher and check its options; those in `suited` that it has are defaults to it.

    `objects` are searchers that exist as Python objects alone, by the names that they have in the
    settings. `num_trials` average patterns are what the budget pays for: some defaults follow it.
    Raises InvalidSetting for what cannot be found, a package that it needs and is not installed,
    an unknown option or one of the wrong type.
    """
    own = objects.get(config.name)
    spec = own or load_searcher(config.name)
    refuse_missing_package(spec)
    file, _, attribute = config.name.rpartition(":")
    is_file = file.endswith(".py")
    name = attribute if is_file else config.name
    own_names = spec.options()
    given = {key: value for key, value in (suited or {}).items() if key in own_names}
    options = replace(spec, name=name).complete({**given, **config.options}, num_trials)
    if spec.uses_llm and "inner" in options:
        options["inner"] = complete_inner(options["inner"], num_trials)
    if spec.uses_llm:
        options = _without_unsaid(options, own_names)
    options = _plain(f"searcher {name!r}", options)
    return Entrant(
        label=(config.label or name) + label_suffix(config.control),
        name=name,
        target=_target(config.name, own is not None),
        options=options,
        budget_aware=spec.budget_aware,
        uses_llm=spec.uses_llm,
        requires=spec.requires,
        source=source_hash(own.target) if own else _file_hash(file) if is_file else None,
        control=config.control,
        own=own.target if own else None,
        stays_here=_why_unsendable(own.target) if own else None,
    )


def _without_unsaid(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Options of an agent, less later ones at their defaults: runs from before have none."""
    unsaid = {key for key, value in UNSAID.items() if defaults.get(key) == value}
    return {key: one for key, one in options.items() if key not in unsaid or one != UNSAID[key]}


def refuse_letters(entrant: Entrant, space: Space) -> None:
    """Raise InvalidSetting for what does not work on a space that has no letters."""
    if entrant.control != "none":
        raise InvalidSetting(f"control {entrant.control} is one of layer patterns")
    is_compact = entrant.uses_llm and entrant.options.get("prompt") == "compact"
    if is_compact and isinstance(space, ProgramSpace):
        raise InvalidSetting(NO_PROGRAMS)


def label_suffix(control: Control) -> str:
    """What the label of a control ends with."""
    return "" if control == "none" else f"-{control}"


def _why_unsendable(target: Callable[..., Any]) -> str | None:
    """Why a Python object cannot be sent to another process; None where it can."""
    import cloudpickle

    try:
        cloudpickle.dumps(target)
    except Exception as error:  # whatever the objects that it holds raise
        return one_line(error)
    return None


def _target(name: str, is_object: bool) -> str:
    """Where the searcher is found again; an object is found nowhere."""
    if is_object:
        return f"object:{name}"
    file, _, attribute = name.rpartition(":")
    return f"{Path(file).expanduser().resolve()}:{attribute}" if file.endswith(".py") else name


def _file_hash(file: str) -> str:
    return hashlib.sha256(Path(file).expanduser().read_bytes()).hexdigest()[:16]


def complete_inner(given: Any, num_trials: int | None = None) -> dict[str, Any]:
    """The classical half of a hybrid, a name or {name:...,options:{...}}, with all its options."""
    wanted: Any = {"name": given} if isinstance(given, str) else given
    if not isinstance(wanted, Mapping) or not {"name"} <= wanted.keys() <= {"name", "options"}:
        raise InvalidSetting(
            f"inner must be a classical searcher, as inner=evolution or "
            f"{{name:evolution,options:{{population:20}}}}, got {given!r}"
        )
    chosen = SearcherConfig(str(wanted["name"]), dict(wanted.get("options") or {}))
    inner = resolve_searcher(chosen, num_trials=num_trials)
    if inner.uses_llm:
        raise InvalidSetting(f"inner must be a classical searcher, got the agent {inner.name!r}")
    return {"name": inner.target, "options": dict(inner.options)}


def unique_labels(entrants: Sequence[Entrant]) -> list[Entrant]:
    """Entrants with labels of their own: the options in which two of one name differ join it."""
    labelled = []
    for entrant in entrants:
        twins = [other for other in entrants if other.label == entrant.label]
        differing = options_apart(
            entrant.distinguishing_options, [other.distinguishing_options for other in twins]
        )
        label = "-".join([entrant.label, *differing]).replace("/", "_")
        labelled.append(replace(entrant, label=label))
    labels = [entrant.label for entrant in labelled]
    for label in labels:
        if labels.count(label) > 1:
            raise InvalidSetting(
                f"searchers names {label!r} {labels.count(label)} times; once is enough, more "
                f"runs are seeds=, two variants need options or labels that differ"
            )
    return labelled


def _plain(what: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as they read back from `run.json`: a tuple is a list there."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(options))
    except TypeError as error:
        raise InvalidSetting(f"{what} has an option that JSON cannot hold: {error}") from error
    return plain
