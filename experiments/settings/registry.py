"""Names of searchers and proxies, and how one of somebody else's is found.

Plain dicts, so that every name is visible on one screen and greppable: name -> "module:attribute",
imported only when that name is used (torch, botorch, optuna and nevergrad are slow to import).
Somebody else's is `my_file.py:its_name`, or a name of the entry-point groups `nasarena.searchers`
and `nasarena.proxies`; a name of ours is never replaced by an installed package.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from nasarena.search.errors import InvalidSetting, nearest
from nasarena.search.proxy import Proxy
from nasarena.search.searcher import SearcherSpec, spec_of
from nasarena.search.seeding import stable_hash
from nasarena.search.settings import options_class
from nasarena.search.space import PatternSpace

ENTRY_POINT_GROUPS = {"searcher": "nasarena.searchers", "proxy": "nasarena.proxies"}

SEARCHERS = {
    "random": "nasarena.baselines.random_search:RandomSearch",
    "local-search": "nasarena.baselines.local_search:local_search",
    "evolution": "nasarena.baselines.evolution:regularized_evolution",
    "genetic": "nasarena.baselines.genetic:genetic_algorithm",
    "sequence-gp": "nasarena.baselines.sequence_gp.sequence_search:SequenceGP",
    "ngram-thompson": "nasarena.baselines.ngram_thompson:NgramThompson",
    "tpe": "nasarena.baselines.libraries.optuna_study:TPE",
    "gp-optuna": "nasarena.baselines.libraries.optuna_study:GaussianProcess",
    "nevergrad": "nasarena.baselines.libraries.nevergrad_search:Nevergrad",
    "nevergrad-choice": "nasarena.baselines.libraries.nevergrad_search:NevergradChoice",
    "botorch": "nasarena.baselines.botorch_gp:BotorchSearch",
    "smac": "nasarena.baselines.libraries.smac_search:Smac",
    "successive-halving": "nasarena.baselines.successive_halving:SuccessiveHalving",
    "hyperband": "nasarena.baselines.hyperband:Hyperband",
    "tpe-pruned": "nasarena.baselines.libraries.pruned_tpe:PrunedTPE",
    "composer": "nasarena.baselines.composer:Composer",
    "composer-end": "nasarena.baselines.composer:ComposerEnd",
    "composer-middle": "nasarena.baselines.composer:ComposerMiddle",
    "references": "nasarena.baselines.references:References",
    "teacher": "nasarena.agents.teacher_searcher:TeacherSearch",
    "agent-one-shot": "nasarena.agents.searchers:OneShotAgent",
    "agent-iid": "nasarena.agents.searchers:IidAgent",
    "agent-sequential": "nasarena.agents.searchers:SequentialAgent",
    "agent-paced": "nasarena.agents.searchers:PacedAgent",
    "agent-instrumented": "nasarena.agents.searchers:InstrumentedAgent",
    "agent-greedy": "nasarena.agents.searchers:GreedyAgent",
    "agent-mcts": "nasarena.agents.searchers:MctsAgent",
    "agent-islands": "nasarena.agents.searchers:IslandsAgent",
    "agent-override": "nasarena.agents.hybrids.override:Override",
    "agent-prior-evolution": "nasarena.agents.hybrids.prior_search:PriorEvolution",
    "agent-prior-bo": "nasarena.agents.hybrids.prior_search:PriorBo",
    "agent-llambo": "nasarena.agents.hybrids.llambo:Llambo",
}

# The same names on lists of edits, where a library wants to know the kinds of parameters. The
# others ask a space for its samples and moves alone.
EDIT_SEARCHERS = {
    "edits:tpe": "nasarena.baselines.edits.optuna_edits:TpeEdits",
    "edits:gp-optuna": "nasarena.baselines.edits.optuna_edits:GaussianProcessEdits",
    "edits:nevergrad": "nasarena.baselines.edits.nevergrad_edits:NevergradEdits",
    "edits:cma-es": "nasarena.baselines.edits.cma_edits:CmaEdits",
    "edits:botorch": "nasarena.baselines.edits.botorch_edits:BotorchEdits",
    "edits:smac": "nasarena.baselines.edits.smac_edits:SmacEdits",
}

# Classes of settings, each of which builds its proxy.
PROXIES = {
    "quick": "nasarena.proxies.presets:TextProxySettings",
    "mad": "nasarena.proxies.presets:MadProxySettings",
    "text": "nasarena.proxies.presets:TextProxySettings",
    "modern": "nasarena.proxies.presets:TextProxySettings",
    "patternbench": "nasarena.proxies.patternbench.benchmark:PatternBenchSettings",
    "patternbench-quick": "nasarena.proxies.patternbench.benchmark:PatternBenchSettings",
    "patternbench-long": "nasarena.proxies.patternbench.benchmark:PatternBenchSettings",
    "patternbench-recall": "nasarena.proxies.patternbench.benchmark:PatternBenchSettings",
    "patternbench-prose": "nasarena.proxies.patternbench.benchmark:PatternBenchSettings",
    "patternbench-copying": "nasarena.proxies.patternbench.benchmark:PatternBenchSettings",
    "patternbench-memorization": "nasarena.proxies.patternbench.benchmark:PatternBenchSettings",
    "suite": "nasarena.proxies.patternbench.suite:SuiteSettings",
    "additive": "nasarena.proxies.landscapes:AdditiveSettings",
    "nk": "nasarena.proxies.landscapes:NkSettings",
    "motifs": "nasarena.proxies.landscapes:MotifsSettings",
}

# Other people's tools that runs can be written for: the package each needs, if any.
TRACKERS = {"mlflow": "mlflow", "wandb": "wandb", "tensorboard": "tensorboard"}
TOOLS: dict[str, str | None] = {
    **TRACKERS, "csv": None, "json": None, "parquet": "pyarrow", "optuna": "optuna", "ioh": None,
    "replay": None,
}  # fmt: skip


def refuse_missing_tool(name: str, package: str | None) -> None:
    """Raise InvalidSetting where the package of another tool is not installed."""
    if package is not None and importlib.util.find_spec(package) is None:
        remedy = "'nasarena[trackers]'" if name in TRACKERS else package
        raise InvalidSetting(
            f"{name} needs the package {package!r}, which is not installed: pip install {remedy}"
        )


# What `nasarena design` scores: programs, and no patterns.
_LRA = "nasarena.proxies.lra.preset:LraSettings"
TASKS = {
    "autoresearch": "nasarena.proxies.autoresearch.preset:AutoresearchSettings",
    "lra-listops": _LRA,
    "lra-text": _LRA,
    "lra-retrieval": _LRA,
}


def searcher_names() -> list[str]:
    """Names of ours, in the order of the table, then those of installed packages."""
    return _names(SEARCHERS, "searcher")


def load_searcher(name_or_path: str) -> SearcherSpec:
    """The searcher of a name, or of `my_file.py:my_searcher`.

    Raises InvalidSetting, in one line, for an unknown name and for a file that cannot be imported.
    """
    return spec_of(_load("searcher", {**SEARCHERS, **EDIT_SEARCHERS}, name_or_path))


def load_proxy_settings(name_or_path: str) -> type[Any]:
    """The class of settings of a proxy, which builds it: of a name, or of `my_file.py:my_proxy`.

    A plain function of the space and its options is as good: its signature holds the settings.
    Raises InvalidSetting as `load_searcher`.
    """
    found = _load("proxy", {**PROXIES, **TASKS}, name_or_path)
    return found if hasattr(found, "build") else _settings_of_factory(found)


@cache
def _settings_of_factory(factory: Callable[..., Proxy]) -> type[Any]:
    made = options_class(factory, frozenset({"space"}))

    def build(self: Any, space: PatternSpace, name: str) -> Proxy:
        return factory(space, **{one.name: getattr(self, one.name) for one in fields(made)})

    made.build = build
    return made


def _load(kind: str, ours: Mapping[str, str], name: str) -> Any:
    file, _, attribute = name.rpartition(":")
    if file.endswith(".py") or name.endswith(".py"):
        return _from_file(kind, file, attribute)
    if name in ours:
        module, _, attribute = ours[name].partition(":")
        return getattr(importlib.import_module(module), attribute)
    installed = _installed(kind)
    if name in installed:
        return _from_entry_point(kind, installed[name])
    names = _names(ours, kind)
    raise InvalidSetting(
        f"no {kind} is called {name!r}; {nearest(name, names)}; or give my_file.py:my_{kind}"
    )


def _names(ours: Mapping[str, str], kind: str) -> list[str]:
    return [*ours, *(name for name in sorted(_installed(kind)) if name not in ours)]


def _installed(kind: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUPS[kind])}


def _from_entry_point(kind: str, entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:  # somebody else's package may fail in any way
        raise InvalidSetting(
            f"{kind} {entry.name!r} of an installed package ({entry.value}) cannot be loaded: "
            f"{one_line(error)}"
        ) from error


def _from_file(kind: str, file: str, attribute: str) -> Any:
    if not file or not attribute:
        raise InvalidSetting(
            f"a {kind} of a file is given as my_file.py:my_{kind}, got {file or attribute!r}"
        )
    path = Path(file).expanduser()
    if not path.is_file():
        raise InvalidSetting(f"no {kind} file {file!r} here; expected my_file.py:my_{kind}")
    module = _module_of(path)
    if not hasattr(module, attribute):
        declared = [name for name, value in vars(module).items() if _is_declared(value)]
        there = ", ".join(declared) or f"no declared {kind}"
        raise InvalidSetting(f"{file} has no {attribute!r}; it has {there}")
    return getattr(module, attribute)


class _SourceLoader(SourceFileLoader):
    """Compiles the source every time, and leaves nothing beside it.

    Python's own takes an edit of the same length within the same second for no edit.
    """

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


def _module_of(path: Path) -> ModuleType:
    """Run the file as a module, under a name that no other file shares.

    It stands in `sys.modules` while it runs, as dataclasses and pickle want it.
    """
    name = f"nasarena_file_{path.stem}_{stable_hash(str(path.resolve())):x}"
    loader = _SourceLoader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None, path
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException as error:  # a SystemExit in a searcher's file is its fault as well
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise InvalidSetting(f"{path} cannot be imported: {one_line(error)}") from error
    return module


def _is_declared(value: object) -> bool:
    spec = getattr(value, "__searcher_spec__", None)
    is_searcher = isinstance(spec, SearcherSpec) and spec.target is value
    return is_searcher or (isinstance(value, type) and hasattr(value, "build"))


def one_line(error: BaseException) -> str:
    """An exception of somebody else's code, for a message."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
