"""A searcher of ours as a sampler of Optuna.

It decides about the largest group of categorical parameters that have the same choices: these are
the layers of a pattern, in the order of their names (`layer_2` before `layer_10`), and each choice
is a letter. Every other parameter is drawn at random. A trial that failed or was pruned is told as
failed; a study that minimizes is told with its values turned round.
"""

import re
from collections.abc import Callable, Mapping
from string import ascii_letters
from threading import Lock
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from nasarena.experiments.settings.registry import load_searcher
from nasarena.search.searcher import Searcher, build_searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

Space = Mapping[str, BaseDistribution]
_ENDED = (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)


class SearcherSampler(BaseSampler):
    """Samples by the searcher called `name`, with `options`.

    `search_space`, where it is given, is sampled from the first trial on; else what all trials so
    far have in common. `alphabet` bounds the letters that the searcher knows: groups of parameters
    with other choices are then drawn at random. `llm` makes the client of a language model for a
    searcher that needs one. Raises ValueError for a study with several objectives.
    """

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any] | None = None,
        *,
        search_space: Space | None = None,
        seed: int | None = None,
        alphabet: str | None = None,
        llm: Callable[[], object] | None = None,
    ) -> None:
        self._spec, self._options, self._llm = load_searcher(name), dict(options or {}), llm
        self._given, self._alphabet = search_space, alphabet
        self._common = IntersectionSearchSpace()
        self._rng = np.random.default_rng(seed)
        self._random = RandomSampler(seed=seed)
        self._lock = Lock()  # several threads may ask one study
        self._layers: Mapping[str, CategoricalDistribution] = {}
        self._searcher: Searcher | None = None
        self._told: set[int] = set()

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The layers; none where no group of two or more parameters can be one."""
        space = self._common.calculate(study) if self._given is None else self._given
        return dict(layers_of(space, self._alphabet))

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The searcher's next pattern; nothing where it has none, for then all is random."""
        _refuse_several_objectives(study)
        layers = layers_of(search_space, self._alphabet)
        if not layers:
            return {}
        with self._lock:
            if self._searcher is None or layers != self._layers:
                self._begin(layers)
            assert self._searcher is not None
            self._tell(study, self._searcher)
            asked = list(self._searcher.ask(1))
        if not asked:
            return {}
        pattern = asked[0] if isinstance(asked[0], str) else asked[0].pattern
        letters = self._letters()
        return {
            name: one.choices[letters.index(letter)]
            for (name, one), letter in zip(layers.items(), pattern, strict=True)
        }

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A random value."""
        _refuse_several_objectives(study)
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """A stream of its own for each process of a parallel study."""
        self._random.reseed_rng()
        self._rng = np.random.default_rng()
        self._searcher = None

    def _begin(self, layers: Mapping[str, CategoricalDistribution]) -> None:
        self._layers, self._told = layers, set()
        space = PatternSpace(self._letters(), len(layers))
        llm = self._llm() if self._llm is not None else None
        self._searcher = build_searcher(self._spec, space, self._rng, self._options, llm=llm)

    def _letters(self) -> str:
        """A letter for each choice: itself where all are letters."""
        choices = next(iter(self._layers.values())).choices
        own = "".join(map(str, choices))
        is_own = len(own) == len(choices) and own.isalpha()
        return own if is_own else ascii_letters[: len(choices)]

    def _tell(self, study: Study, searcher: Searcher) -> None:
        sign = -1.0 if study.direction == StudyDirection.MINIMIZE else 1.0
        letters, trials = self._letters(), list[Trial]()
        for found in study.get_trials(deepcopy=False, states=_ENDED):
            if found.number in self._told or not set(self._layers) <= set(found.params):
                continue
            places = [
                one.choices.index(found.params[name])
                for name, one in self._layers.items()
                if found.params[name] in one.choices
            ]
            if len(places) < len(self._layers):
                continue  # of another range of choices
            pattern = "".join(letters[place] for place in places)
            index = len(self._told)
            self._told.add(found.number)
            if found.state == TrialState.COMPLETE and found.value is not None:
                trials.append(Trial(index, pattern, "ok", score=sign * found.value))
            else:
                trials.append(Trial(index, pattern, "failed", note=found.state.name.lower()))
        if trials:
            searcher.tell(trials)


def _refuse_several_objectives(study: Study) -> None:
    if len(study.directions) > 1:
        raise ValueError(f"a searcher has one objective, the study has {len(study.directions)}")


def layers_of(space: Space, alphabet: str | None = None) -> dict[str, CategoricalDistribution]:
    """The largest group of categorical parameters with the same choices, in order of their names.

    At most 52 choices, for each is a letter; with `alphabet`, only choices that are its letters.
    """
    groups: dict[tuple[Any, ...], dict[str, CategoricalDistribution]] = {}
    for name in sorted(space, key=_natural):
        one = space[name]
        if not isinstance(one, CategoricalDistribution) or not 2 <= len(one.choices) <= 52:
            continue
        if alphabet is None or all(choice in set(alphabet) for choice in one.choices):
            key = tuple((type(choice), choice) for choice in one.choices)
            groups.setdefault(key, {})[name] = one
    largest = max(groups.values(), key=len, default={})
    return largest if len(largest) > 1 else {}


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Numbers in a name count as numbers."""
    parts = re.split(r"(\d+)", name)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]
