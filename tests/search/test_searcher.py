"""The three spellings of a searcher, and how the harness talks to each."""

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import pytest

from nasarena.search.errors import InvalidSetting
from nasarena.search.searcher import build_searcher, searcher, spec_of
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

SPACE = PatternSpace("AM", 4)
RNG = np.random.default_rng(0)


def trial(index: int, pattern: str, score: float | None = 1.0) -> Trial:
    return Trial(index, pattern, "ok" if score is not None else "failed", score)


def test_a_function_sees_everything_told_so_far() -> None:
    @searcher("longest")
    def longest(history: list[Trial], space: PatternSpace, rng: np.random.Generator) -> str:
        return "A" * len(history) + "M" * (4 - len(history))

    built = build_searcher(spec_of(longest), SPACE, RNG)
    assert built.ask(2) == ["MMMM", "MMMM"]
    built.tell([trial(0, "MMMM"), trial(1, "AMMM", None)])
    assert built.ask(1) == ["AAMM"]


def test_a_generator_gets_the_trial_of_each_pattern_and_the_history() -> None:
    seen: list[Any] = []

    @searcher("echo")
    def echo(
        space: PatternSpace, rng: np.random.Generator, history: list[Trial]
    ) -> Generator[str, Trial, None]:
        seen.append([told.pattern for told in history])
        seen.append((yield "AAAA").score)
        seen.append((yield "MMMM").score)

    built = build_searcher(spec_of(echo), SPACE, RNG)
    built.tell([trial(0, "AMAM")])  # the initial design, before the first ask
    assert built.ask(1) == ["AAAA"]
    built.tell([trial(1, "AAAA", 0.5)])
    assert built.ask(1) == ["MMMM"]
    built.tell([trial(2, "MMMM", None)])
    assert built.ask(1) == []  # it returned: nothing more to ask
    assert built.ask(1) == []
    assert seen == [["AMAM"], 0.5, None]


def test_generators_are_sequential_by_declaration() -> None:
    @searcher("one")
    def one(space: PatternSpace, rng: np.random.Generator) -> Generator[str, Trial, None]:
        yield "AAAA"

    assert spec_of(one).max_parallel == 1


def test_a_class_is_used_as_it_is_and_told_its_budget_if_aware() -> None:
    @searcher("planned", budget_aware=True, max_parallel=8)
    class Planned:
        def __init__(
            self,
            space: PatternSpace,
            rng: np.random.Generator,
            num_trials: int | None = None,
            greed: float = 0.5,
        ) -> None:
            self.num_trials, self.greed = num_trials, greed

        def ask(self, n: int) -> list[str]:
            return ["AAAA"] * n

        def tell(self, trials: Sequence[Trial]) -> None: ...

    spec = spec_of(Planned)
    assert spec.options() == {"greed": 0.5}
    built: Any = build_searcher(spec, SPACE, RNG, {"greed": 0.1}, num_trials=64)
    assert (built.num_trials, built.greed, spec.max_parallel) == (64, 0.1, 8)
    with pytest.raises(InvalidSetting, match="called 'planned.options.gred'; nearest: .*greed"):
        build_searcher(spec, SPACE, RNG, {"gred": 0.1})


def test_a_subclass_inherits_the_declaration_but_is_itself_built() -> None:
    @searcher("parent", requires="numpy", max_parallel=4)
    class Parent:
        def __init__(self, space: PatternSpace, rng: np.random.Generator) -> None: ...

        def ask(self, n: int) -> list[str]:
            return ["AAAA"]

        def tell(self, trials: Sequence[Trial]) -> None: ...

    class Child(Parent):
        def ask(self, n: int) -> list[str]:
            return ["MMMM"]

    spec = spec_of(Child)
    assert (spec.name, spec.requires, spec.max_parallel) == ("Child", "numpy", 4)
    assert build_searcher(spec, SPACE, RNG).ask(1) == ["MMMM"]


def test_a_missing_package_is_named() -> None:
    @searcher("exotic", requires="surely_not_installed")
    def exotic(history: list[Trial], space: PatternSpace, rng: np.random.Generator) -> str:
        return "AAAA"

    with pytest.raises(InvalidSetting, match="needs the package 'surely_not_installed'"):
        build_searcher(spec_of(exotic), SPACE, RNG)


def test_an_undecorated_callable_is_a_searcher_and_anything_else_is_not() -> None:
    def plain(history: list[Trial], space: PatternSpace, rng: np.random.Generator) -> str:
        return "AAAA"

    assert spec_of(plain).name == "plain"
    with pytest.raises(InvalidSetting, match="must be a function, a generator function or a class"):
        spec_of(7)
