"""Controls: the same agent, blinded in one way, to tell whether it searches or remembers.

| control | what is withheld | what is left |
|---|---|---|
| `none` | nothing | the agent as it is |
| `shuffled_scores` | which score belongs to which pattern | patterns, names, the set of scores |
| `anonymous_letters` | what letters mean, and which is which | patterns and true scores |
| `no_history` | every earlier trial | the task alone |

A control stands between the record and the agent as a whole: its policy chooses parents from the
same blinded trials that its prompts show, and without history every move is a draft. So with
`shuffled_scores` nothing in the agent can climb, and what it still gains over random comes from
prior knowledge. Scores are shuffled anew for each proposal, by a stream of its own, so no order
leaks over time. In a hybrid only the language model is blinded, its classical half keeps the true
record: there a control tells what the model adds to it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from nasarena.agents.context.view import Section, View
from nasarena.search.errors import InvalidSetting
from nasarena.search.notation import LetterMap
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

Control = Literal["none", "shuffled_scores", "anonymous_letters", "no_history"]
CONTROLS: tuple[Control, ...] = get_args(Control)

# No prompt may hold one of these when letters are anonymous, not even in the model's own words.
ARCHITECTURE_WORDS = re.compile(
    r"\w*(attention|attend|mlp|mamba|feed.?forward|state.?space|ssm|recurren|transformer|neural"
    r"|network|layer|architect|language|sequence|token|gradient|loss|train|diverge|residual)\w*",
    re.IGNORECASE,
)
_SIGNS = "XYZUVWQKJHGRTPNBCDEFILO"


def shuffle_scores(trials: Sequence[Trial], rng: np.random.Generator) -> list[Trial]:
    """The same trials with their scores permuted among those that were scored.

    A duplicate keeps the score of the trial that it repeats; native metrics are dropped.
    """
    scored = [trial.index for trial in trials if trial.status == "ok"]
    true_scores = [trial.score for trial in trials if trial.status == "ok"]
    shuffled = {
        index: true_scores[place]
        for index, place in zip(scored, rng.permutation(len(scored)), strict=True)
    }
    return [replace(trial, score=_score(trial, shuffled), metrics={}) for trial in trials]


def _score(trial: Trial, scores: Mapping[int, float | None]) -> float | None:
    index = trial.index if trial.duplicate_of is None else trial.duplicate_of
    return scores.get(index)


class Disguise(LetterMap):
    """Letters under neutral names.

    Which name a letter gets, and the order in which the names are listed, are drawn by seed; no
    letter of the space is used as a name.
    """

    __slots__ = ()

    @classmethod
    def draw(cls, alphabet: str, rng: np.random.Generator) -> "Disguise":
        """A random disguise. Raises InvalidSetting for an alphabet with too many letters."""
        free = [sign for sign in _SIGNS if sign not in alphabet.upper()]
        if len(free) < len(alphabet):
            raise InvalidSetting(
                f"control=anonymous_letters needs a free sign for each letter, "
                f"{len(free)} are left beside {alphabet!r}"
            )
        names = rng.permutation(free[: len(alphabet)])
        return cls(alphabet, "".join(names.tolist()))

    def view(self, view: View) -> View:
        """The same view in neutral letters and without a word about what they stand for."""
        return replace(
            view,
            space=PatternSpace("".join(sorted(self.shown)), view.space.depth),
            sections=tuple(
                Section(section.heading, self._trials(section.trials)) for section in view.sections
            ),
            lessons=tuple(redact(lesson) for lesson in view.lessons),
            parents=self._trials(view.parents),
            best=self._trial(view.best) if view.best else None,
            pending=tuple(self.show(pattern) for pattern in view.pending),
            legend=(),
        )

    def _trials(self, trials: Sequence[Trial]) -> tuple[Trial, ...]:
        return tuple(self._trial(trial) for trial in trials)

    def _trial(self, trial: Trial) -> Trial:
        """An invalid text was written in shown letters, and a note may name true ones: dropped."""
        if trial.status == "invalid":
            pattern, note = redact(trial.pattern), "not one of the allowed patterns"
        else:
            pattern, note = self.show(trial.pattern), "it could not be scored"
        details = {key: redact(text) for key, text in trial.details.items()}
        return replace(trial, pattern=pattern, note=note, details=details, metrics={})


def redact(text: str) -> str:
    """`text` without words that would tell what is being searched."""
    return ARCHITECTURE_WORDS.sub("[...]", text)
