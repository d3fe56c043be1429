"""Names of searchers and proxies, and how a searcher of somebody else's is found.

Plain dicts, so that every name is visible on one screen and greppable: name -> "module:attribute",
imported only when that name is used (torch, botorch, optuna and nevergrad are slow to import).
Somebody else's searcher is `my_file.py:my_searcher`, or a name of the entry-point group
`nasarena.searchers`; a name of ours is never replaced by an installed package.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from nasarena.search.errors import InvalidSetting
from nasarena.search.proxy import Proxy
from nasarena.search.searcher import SearcherSpec, spec_of
from nasarena.search.seeding import stable_hash

ENTRY_POINT_GROUP = "nasarena.searchers"

SEARCHERS = {
    "random": "nasarena.baselines.random_search:RandomSearch",
    "local-search": "nasarena.baselines.local_search:local_search",
    "evolution": "nasarena.baselines.evolution:regularized_evolution",
    "genetic": "nasarena.baselines.genetic:genetic_algorithm",
    "tpe": "nasarena.baselines.optuna_study:TPE",
    "gp-optuna": "nasarena.baselines.optuna_study:GaussianProcess",
    "nevergrad": "nasarena.baselines.nevergrad_search:Nevergrad",
    "nevergrad-choice": "nasarena.baselines.nevergrad_search:NevergradChoice",
    "botorch": "nasarena.baselines.botorch_gp:BotorchSearch",
    "successive-halving": "nasarena.baselines.successive_halving:SuccessiveHalving",
    "hyperband": "nasarena.baselines.hyperband:Hyperband",
    "tpe-pruned": "nasarena.baselines.pruned_tpe:PrunedTPE",
    "composer": "nasarena.baselines.composer:Composer",
    "composer-end": "nasarena.baselines.composer:ComposerEnd",
    "composer-middle": "nasarena.baselines.composer:ComposerMiddle",
    "references": "nasarena.baselines.references:References",
    "agent-one-shot": "nasarena.agents.searchers:OneShotAgent",
    "agent-iid": "nasarena.agents.searchers:IidAgent",
    "agent-sequential": "nasarena.agents.searchers:SequentialAgent",
    "agent-paced": "nasarena.agents.searchers:PacedAgent",
    "agent-greedy": "nasarena.agents.searchers:GreedyAgent",
    "agent-mcts": "nasarena.agents.searchers:MctsAgent",
    "agent-islands": "nasarena.agents.searchers:IslandsAgent",
    "agent-override": "nasarena.agents.hybrids.override:Override",
    "agent-prior-evolution": "nasarena.agents.hybrids.prior_search:PriorEvolution",
    "agent-prior-bo": "nasarena.agents.hybrids.prior_search:PriorBo",
    "agent-llambo": "nasarena.agents.hybrids.llambo:Llambo",
}

PROXIES = {
    "quick": "nasarena.proxies.presets:build_trained_proxy",
    "mad": "nasarena.proxies.presets:build_trained_proxy",
    "text": "nasarena.proxies.presets:build_trained_proxy",
    "patternbench": "nasarena.proxies.patternbench.benchmark:patternbench",
    "additive": "nasarena.proxies.landscapes:additive",
    "nk": "nasarena.proxies.landscapes:nk",
}


def searcher_names() -> list[str]:
    """Names of ours, in the order of the table, then those of installed packages."""
    return [
        *SEARCHERS,
        *(name for name in sorted(_searcher_entry_points()) if name not in SEARCHERS),
    ]


def load_searcher(name_or_path: str) -> SearcherSpec:
    """The searcher of a name, or of `my_file.py:my_searcher`.

    Raises InvalidSetting, in one line, for an unknown name and for a file that cannot be imported.
    """
    file, _, attribute = name_or_path.rpartition(":")
    if file.endswith(".py") or name_or_path.endswith(".py"):
        return _from_file(file, attribute)
    if name_or_path in SEARCHERS:
        return spec_of(_import_attribute(SEARCHERS[name_or_path]))
    installed = _searcher_entry_points()
    if name_or_path in installed:
        return _from_entry_point(installed[name_or_path])
    raise _unknown("searcher", name_or_path, searcher_names(), "or give my_file.py:my_searcher")


def load_proxy(name: str) -> Callable[..., Proxy]:
    """The factory of a proxy: called with a space and the settings of its YAML file.

    Raises InvalidSetting for an unknown name.
    """
    if name not in PROXIES:
        raise _unknown("proxy", name, PROXIES)
    factory: Callable[..., Proxy] = _import_attribute(PROXIES[name])
    return factory


def _import_attribute(place: str) -> Callable[..., Any]:
    module, _, attribute = place.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return found


def _searcher_entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}


def _from_entry_point(entry: EntryPoint) -> SearcherSpec:
    try:
        return spec_of(entry.load())
    except Exception as error:  # somebody else's package may fail in any way
        raise InvalidSetting(
            f"searcher {entry.name!r} of an installed package ({entry.value}) cannot be loaded: "
            f"{one_line(error)}"
        ) from error


def _from_file(file: str, attribute: str) -> SearcherSpec:
    if not file or not attribute:
        raise InvalidSetting(
            f"a searcher of a file is given as my_file.py:my_searcher, got {file or attribute!r}"
        )
    path = Path(file).expanduser()
    if not path.is_file():
        raise InvalidSetting(f"no searcher file {file!r} here; expected my_file.py:my_searcher")
    module = _module_of(path)
    if not hasattr(module, attribute):
        declared = [name for name, value in vars(module).items() if _is_declared(value)]
        there = ", ".join(declared) or "no declared searcher"
        raise InvalidSetting(f"{file} has no {attribute!r}; it has {there}")
    return spec_of(getattr(module, attribute))


def _module_of(path: Path) -> ModuleType:
    """Run the file as a module, under a name that no other file shares.

    It stands in `sys.modules` while it runs, as dataclasses and pickle want it.
    """
    name = f"nasarena_searcher_{path.stem}_{stable_hash(str(path.resolve())):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # a SystemExit in a searcher's file is its fault as well
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise InvalidSetting(f"{path} cannot be imported: {one_line(error)}") from error
    return module


def _is_declared(value: object) -> bool:
    spec = getattr(value, "__searcher_spec__", None)
    return isinstance(spec, SearcherSpec) and spec.target is value


def one_line(error: BaseException) -> str:
    """An exception of somebody else's code, for a message."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _unknown(kind: str, name: str, known: Iterable[str], hint: str = "") -> InvalidSetting:
    names = list(known)
    nearest = get_close_matches(name, names, n=3)
    advice = f"nearest: {', '.join(nearest)}" if nearest else f"expected one of {', '.join(names)}"
    return InvalidSetting(f"no {kind} is called {name!r}; {advice}{'; ' + hint if hint else ''}")
