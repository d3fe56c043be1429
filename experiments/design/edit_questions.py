"""What is asked of a list of edits: each left out of it, and each put into the script alone.

An edit that others require is taken out with them, and put in with those that it requires.
"""

from nasarena.experiments.design.attribution import Inquiry, Question
from nasarena.search.candidates.edit_space import DEFAULT, EditSpace


def ask_about_edits(space: EditSpace, winner: str, best: str = "") -> Inquiry:
    """The winner against the script, two questions for each edit, the script against what is known.

    `best` is the best list known, where one is. Raises InvalidPattern for what is no list of these
    edits.
    """
    winner = space.validate(winner)
    given = space.given(winner)
    questions = [
        Question("all of them", "", winner, DEFAULT),
        *(_leave_out(space, given, name) for name in given),
        *(_add_alone(space, given, name) for name in given),
        *(
            Question("script against", name, DEFAULT, one)
            for name, one in space.known_candidates().items()
            if one not in (DEFAULT, winner)
        ),
    ]
    parts = {name: f"{name}={value}" for name, value in given.items()}
    return Inquiry(winner, DEFAULT, parts, questions, best)


def _leave_out(space: EditSpace, given: dict[str, str], name: str) -> Question:
    rest = space.repair({one: value for one, value in given.items() if one != name})
    gone = [one for one in given if one not in space.given(rest) and one != name]
    return Question("left out", name, space.repair(given), rest, tuple(gone))


def _add_alone(space: EditSpace, given: dict[str, str], name: str) -> Question:
    wanted, pending = dict[str, str](), [name]
    while pending:
        edit = space.edit(pending.pop())
        wanted[edit.name] = given[edit.name]
        pending += [
            other
            for other, allowed in edit.requires
            if other not in wanted and space.edit(other).default not in allowed
        ]
    alone = space.repair(wanted)
    return Question("added alone", name, alone, DEFAULT, tuple(sorted(set(wanted) - {name})))
