"""What the embedded agent learned: searches on fresh landscapes, and on families it never saw.

    python -m nasarena.agents.scribe.validate     prints the table of the model card

Noiseless landscapes of 16 layers over AMS, the same four random patterns first for everyone, then
the model with its history, the model with shuffled scores, a climber (one random change of the best
at a time), the teacher, and random patterns. The number is the best score found, in standard
deviations over the space. The arena's own landscapes are judged elsewhere, by `measure.agents`.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nasarena.agents.context import compact_prompt as compact
from nasarena.agents.scribe.lesson_functions import (
    HELD_OUT,
    TRAINED,
    Digits,
    Floats,
    Function,
    scale,
)
from nasarena.agents.scribe.teacher import Teacher, mutate
from nasarena.agents.scribe.writer import MODEL_DIR, Writer
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

SPACE = PatternSpace("AMS", 16)
INITIAL = 4
ATTEMPTS = 4  # at a pattern that was not tried before, as with the agents' option `distinct=3`
# What to try next, given what was tried and its scores.
Player = Callable[[Digits, Floats, np.random.Generator], Digits]


def search(play: Player, function: Function, num_trials: int, rng: np.random.Generator) -> Floats:
    """The best score after each trial, shape `(num_trials,)`."""
    digits = rng.integers(len(SPACE.alphabet), size=(INITIAL, SPACE.depth))
    scores = function(digits)
    while len(scores) < num_trials:
        chosen = play(digits, scores, rng)[None]
        digits, scores = np.vstack([digits, chosen]), np.append(scores, function(chosen))
    return np.maximum.accumulate(scores)


def model_player(writer: Writer, temperature: float, shuffled: bool = False) -> Player:
    """The model, told the true scores or, as a control, the same scores in a random order."""

    def play(digits: Digits, scores: Floats, rng: np.random.Generator) -> Digits:
        told = rng.permutation(scores) if shuffled else scores
        tried = [SPACE.from_digits(row) for row in digits]
        trials = [Trial(i, tried[i], "ok", float(told[i])) for i in range(len(tried))]
        history = compact.render(SPACE, trials)
        for _ in range(ATTEMPTS):
            pattern = json.loads(writer.write(history, SPACE, temperature, rng).text)["pattern"]
            if pattern not in tried:
                break
        return SPACE.digits(pattern)

    return play


def climb(digits: Digits, scores: Floats, rng: np.random.Generator) -> Digits:
    """One random change of the best."""
    best = digits[scores.argmax()][None]
    chosen: Digits = mutate(best, np.array([1]), len(SPACE.alphabet), rng)[0]
    return chosen


def teach(digits: Digits, scores: Floats, rng: np.random.Generator) -> Digits:
    """The teacher's favourite."""
    teacher = Teacher(digits, scores, len(SPACE.alphabet))
    pool = teacher.candidates(rng)
    chosen: Digits = pool[teacher.expected_improvement(pool).argmax()]
    return chosen


def draw(digits: Digits, scores: Floats, rng: np.random.Generator) -> Digits:
    """A random pattern."""
    return rng.integers(len(SPACE.alphabet), size=(SPACE.depth,))


def compare(
    players: dict[str, Player], family: str, num_seeds: int, num_trials: int
) -> dict[str, float]:
    """Mean best score of each player over paired seeds of one family."""
    make = (TRAINED | HELD_OUT)[family]
    found: dict[str, list[float]] = {name: [] for name in players}
    for seed in range(num_seeds):
        rng = stream(seed, "validation", family)
        function = scale(make(rng, SPACE.depth, len(SPACE.alphabet)), SPACE, rng)
        for name, play in players.items():
            rng = stream(seed, "validation search", family)
            found[name].append(float(search(play, function, num_trials, rng)[-1]))
    return {name: round(float(np.mean(scores)), 2) for name, scores in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Searches on fresh landscapes, by family.")
    parser.add_argument("--model", type=Path, default=MODEL_DIR, help="folder of the model")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--temperature", type=float, default=0.8)
    arguments = parser.parse_args()
    writer = Writer(arguments.model)
    players = {
        "scribe": model_player(writer, arguments.temperature),
        "scribe, scores shuffled": model_player(writer, arguments.temperature, shuffled=True),
        "climber": climb,
        "teacher": teach,
        "random": draw,
    }
    print("| family | " + " | ".join(players) + " |")
    print("|---" * (len(players) + 1) + "|")
    for family in [*HELD_OUT, *TRAINED]:
        scores = compare(players, family, arguments.seeds, arguments.trials)
        name = f"{family} (held out)" if family in HELD_OUT else family
        print(f"| {name} | " + " | ".join(f"{score:.2f}" for score in scores.values()) + " |")


if __name__ == "__main__":
    main()
