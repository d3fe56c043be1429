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
from functools import partial
from typing import Any, Literal, get_args

import numpy as np

from nasarena.agents.context.edit_disguise import EditDisguise
from nasarena.agents.context.edit_letters import EditLetters
from nasarena.agents.context.view import Section, View
from nasarena.search.candidates.edit_space import EditSpace
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


AnyDisguise = Disguise | EditDisguise | EditLetters


def draw_disguise(space: Any, rng: np.random.Generator) -> AnyDisguise:
    """Neutral names for what is special to a task. Raises InvalidSetting where there are none."""
    if isinstance(space, PatternSpace):
        return Disguise.draw(space.alphabet, rng)
    if isinstance(space, EditSpace):
        return EditDisguise.draw(space, rng)
    raise InvalidSetting("control=anonymous_letters: a program has no letters to be renamed")


def disguise_view(view: View, disguise: AnyDisguise) -> View:
    """The same view in neutral names and without a word about what they stand for."""
    if isinstance(disguise, EditDisguise | EditLetters):
        space: Any = disguise.space
    else:
        space = PatternSpace("".join(sorted(disguise.shown)), view.space.depth)
    show = partial(_disguise_trial, disguise)
    return replace(
        view,
        space=space,
        sections=tuple(
            Section(section.heading, tuple(map(show, section.trials))) for section in view.sections
        ),
        lessons=tuple(redact(lesson) for lesson in view.lessons),
        parents=tuple(map(show, view.parents)),
        best=show(view.best) if view.best else None,
        last_good=show(view.last_good) if view.last_good else None,
        pending=tuple(disguise.show(pattern) for pattern in view.pending),
        legend=(),
    )


def _disguise_trial(disguise: AnyDisguise, trial: Trial) -> Trial:
    """An invalid text was written in shown names, and a note may name true ones: dropped."""
    if trial.status == "invalid":
        pattern, note = redact(trial.pattern), "not one of the allowed patterns"
    else:
        pattern, note = disguise.show(trial.pattern), "it could not be scored"
    details = {key: redact(text) for key, text in trial.details.items()}
    return replace(trial, pattern=pattern, note=note, details=details, metrics={})


def redact(text: str) -> str:
    """`text` without words that would tell what is being searched."""
    return ARCHITECTURE_WORDS.sub("[...]", text)
