"""The Searcher contract: three spellings, one protocol of ask and tell.

    @searcher("random")                       a function: stateless, asked with the whole history
    def random_search(history, space, rng): return space.sample(rng)

    @searcher("evolution")                    a generator: sequential, stateful
    def evolution(space, rng, population=50): trial = yield pattern

    @searcher("tpe", requires="optuna")       a class: batches, or a library wrapped
    class TPE:
        def __init__(self, space, rng, **options): ...
        def ask(self, n): ...
        def tell(self, trials): ...

`ask` must be a pure function of (options, rng seed, trials told so far, recorded LLM replies):
that one rule gives resume, replay and tests. Everything else (budget, seeds, initial design,
duplicates, failures, timing, logging) belongs to the harness.

A generator receives the trial of each pattern it yields. If it has a parameter `history`, it gets
the live list of all trials told, the initial design among them. A parameter `num_trials` of a
`budget_aware` searcher receives the number of average patterns that the budget pays for; a
parameter `llm` of a `uses_llm` searcher receives the client.
"""

import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from typing import Any, Protocol, TypeVar

import numpy as np

from nasarena.search.candidates.protocol import Space
from nasarena.search.errors import InvalidSetting
from nasarena.search.settings import ByBudget, build, options_class
from nasarena.search.trial import Proposal, Trial

# What the harness hands to a searcher; all other parameters are options.
_RESERVED = frozenset({"history", "space", "rng", "num_trials", "llm"})
Target = TypeVar("Target", bound=Callable[..., Any])


class Searcher(Protocol):
    """What the loop talks to, whichever way the author spelled it."""

    def ask(self, n: int) -> Sequence[str | Proposal]:
        """Up to `n` patterns to try next; an empty answer ends the run."""
        ...

    def tell(self, trials: Sequence[Trial]) -> None:
        """Every finished trial, failed ones too, each with its status."""
        ...


class RecommendingSearcher(Searcher, Protocol):
    """A searcher that also says, when its budget is spent, which patterns it would choose.

    They need not have been tried. They are judged beside the finalists that the harness names by
    one rule for all (`nasarena.search.models.finalists`), and decide no rank.
    """

    def recommend(self, k: int) -> Sequence[str]:
        """Up to `k` patterns, the best first."""
        ...


@dataclass(frozen=True, slots=True)
class SearcherSpec:
    """What an author declares about a searcher besides its code.

    `max_parallel` bounds how many patterns one ask may be for; None means no bound.
    """

    name: str
    target: Callable[..., Any]
    requires: str | None = None
    budget_aware: bool = False
    uses_llm: bool = False
    max_parallel: int | None = None

    def settings(self) -> type[Any]:
        """The class of its options, derived from the signature; see `nasarena.search.settings`."""
        return options_class(self.target, _RESERVED)

    def options(self) -> dict[str, Any]:
        """Option names and defaults, read from the signature."""
        return {
            name: parameter.default
            for name, parameter in inspect.signature(self.target).parameters.items()
            if name not in _RESERVED and parameter.kind is not parameter.VAR_KEYWORD
        }

    def complete(self, given: Mapping[str, Any], num_trials: int | None = None) -> dict[str, Any]:
        """The options `given`, checked, over the defaults; any name passes where **options do.

        Defaults that follow the budget are those of `num_trials` average patterns. Raises
        InvalidSetting, also for an option without a default that is not given.
        """
        cls = self.settings()
        known = {one.name for one in fields(cls)}
        parameters = inspect.signature(self.target).parameters.values()
        takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
        others = {name: given[name] for name in given if takes_any and name not in known}
        own = {name: given[name] for name in given if name not in others}
        checked = build(cls, own, f"{self.name}.options")
        values = {name: getattr(checked, name) for name in self.options()}
        for name, value in values.items():
            if isinstance(value, ByBudget):
                values[name] = value.at(num_trials)
        return values | others


def searcher(
    name: str,
    *,
    requires: str | None = None,
    budget_aware: bool = False,
    uses_llm: bool = False,
    max_parallel: int | None = None,
) -> Callable[[Target], Target]:
    """Declare a function, a generator function or a class to be a searcher; returns it unchanged.

    `requires` names the package it cannot work without, imported by the author where it is used.
    """

    def declare(target: Target) -> Target:
        bound = 1 if inspect.isgeneratorfunction(target) else max_parallel
        spec = SearcherSpec(name, target, requires, budget_aware, uses_llm, bound)
        target.__searcher_spec__ = spec  # type: ignore[attr-defined]
        return target

    return declare


def spec_of(target: object) -> SearcherSpec:
    """The declaration of `target`; a bare callable counts as declared under its own name.

    Raises InvalidSetting for what cannot be called.
    """
    spec = getattr(target, "__searcher_spec__", None)
    if isinstance(spec, SearcherSpec) and spec.target is target:
        return spec
    if not callable(target):
        raise InvalidSetting(
            f"a searcher must be a function, a generator function or a class, "
            f"got {type(target).__name__}"
        )
    name = getattr(target, "__name__", "searcher")
    if isinstance(spec, SearcherSpec):  # a subclass of a declared searcher
        return replace(spec, name=name, target=target)
    declared: SearcherSpec = spec_of(searcher(name)(target))
    return declared


def refuse_missing_package(spec: SearcherSpec) -> None:
    """Raise InvalidSetting where the package that a searcher stands on is not installed."""
    if spec.requires is not None and find_spec(spec.requires) is None:
        raise InvalidSetting(
            f"searcher {spec.name!r} needs the package {spec.requires!r}, which is not installed: "
            f"pip install {spec.requires}, or all that the default comparison needs by "
            f"pip install 'nasarena[optimizers]'"
        )


def build_searcher(
    spec: SearcherSpec,
    space: Space,
    rng: np.random.Generator,
    options: Mapping[str, Any] | None = None,
    *,
    num_trials: int | None = None,
    llm: object | None = None,
) -> Searcher:
    """A fresh searcher that speaks the protocol.

    Raises InvalidSetting for an option that it does not have, or a package that is missing.
    """
    refuse_missing_package(spec)
    keywords = spec.complete(options or {}, num_trials)
    parameters = inspect.signature(spec.target).parameters
    if spec.budget_aware and "num_trials" in parameters:
        keywords["num_trials"] = num_trials
    if spec.uses_llm and "llm" in parameters:
        keywords["llm"] = llm
    target: Callable[..., Any] = spec.target
    if inspect.isgeneratorfunction(target):
        return _GeneratorSearcher(target, space, rng, keywords)
    if not inspect.isclass(target):
        return _FunctionSearcher(target, space, rng, keywords)
    built: Searcher = spec.target(space, rng, **keywords)
    return built


class _FunctionSearcher:
    """A stateless function, asked anew with everything told so far."""

    def __init__(
        self,
        function: Callable[..., Any],
        space: Space,
        rng: np.random.Generator,
        keywords: Mapping[str, Any],
    ) -> None:
        self.history: list[Trial] = []
        self._function, self._space, self._rng = function, space, rng
        self._keywords = keywords

    def ask(self, n: int) -> list[Any]:
        return [
            self._function(self.history, self._space, self._rng, **self._keywords) for _ in range(n)
        ]

    def tell(self, trials: Sequence[Trial]) -> None:
        self.history.extend(trials)


class _GeneratorSearcher:
    """A generator: it yields one pattern and is sent the finished trial of it."""

    def __init__(
        self,
        function: Callable[..., Generator[Any, Trial, None]],
        space: Space,
        rng: np.random.Generator,
        keywords: dict[str, Any],
    ) -> None:
        self.history: list[Trial] = []
        if "history" in inspect.signature(function).parameters:
            keywords = keywords | {"history": self.history}
        self._generator = function(space, rng, **keywords)
        self._asked = False
        self._answer: Trial | None = None

    def ask(self, n: int) -> list[Any]:
        try:
            if self._asked and self._answer is not None:
                proposal = self._generator.send(self._answer)
            else:
                proposal = next(self._generator)
        except StopIteration:
            return []
        self._asked, self._answer = True, None
        return [proposal]

    def tell(self, trials: Sequence[Trial]) -> None:
        self.history.extend(trials)
        if self._asked and trials:
            self._answer = trials[-1]
