"""The texts about lists of edits. Without the task they name nothing that is special to a task, so
that they serve a catalogue under neutral names too.
"""

from nasarena.agents.languages.language import Words

TASK = """\
You improve a program by named edits. {about}
A candidate is a set of edits with their values. Whatever is not named keeps its default, and
without any edit the program is as it was given. The catalogue, one edit a line: name, values,
=default, what it changes."""

NEUTRAL_TASK = """\
You search for good settings, called edits. A candidate is a set of edits with their values;
whatever is not named keeps its default. An unknown function gives each candidate a score; names
and choices have no meaning beyond what the scores tell. The catalogue, one edit a line: name,
values, =default."""

_BASE = """\
compared with the candidate that you start from (the better one of two), or with the best so far if
you start from none that has a score"""

WORDS = Words(
    rules="""\
A higher score is better. Every candidate that is scored uses up a limited budget, so make each one
count: it should either win or teach something that decides what to try next. A candidate that was
tried before tells nothing new.""",
    noise="""\
The same candidate scored again differs by about {noise} (one standard deviation): a smaller
difference between two candidates means nothing.""",
    reply=f"""\
Answer with one JSON object and nothing else. Its keys, in this order:
"name": what to call the idea, at most {{name_length}} characters;
"hypothesis": why you expect the score that you expect, at most {{hypothesis_length}} characters;
"expected": "better", "worse" or "same", {_BASE};
"edits": an object with all edits of the candidate and their values, in the order of the catalogue,
as {{example}}; an empty object is the program as it was given.""",
    draft="Propose one new candidate from scratch, built on another idea than those above. {cue}",
    cues=(
        "Keep it plain: a single idea, of one edit or a few that belong together.",
        "Combine two ideas, each with edits of its own.",
        "The plain ideas are taken: be bold, and choose edits that are far from all of them.",
    ),
    improve="""\
Start from this candidate:
{parents}
Change one thing about it and nothing else: give one edit more, take one back, or give one another
value. Then whatever happens to the score is due to that change. Answer with all edits of the new
candidate, and state the change in the hypothesis.""",
    crossover="""\
Two candidates of the same search:
{parents}
Make one child of them. Where both have an edit with the same value, keep it; of the others take
those that you hold responsible for the score. Say in the hypothesis what came from where.""",
    debug_failed="""\
This candidate could not be scored:
{parents}
Find the likely reason. Propose the smallest change to its edits that should remove it and keeps its
idea.""",
    debug_duplicate="""\
You proposed this candidate, but it is not new:
{parents}
Keep the idea and carry it to edits close by that are in none of the lists above.""",
    debug_invalid="""\
Your last answer could not be used:
{parents}
Propose a candidate again, and keep to the form asked for.""",
    wish="""\
Propose one new candidate whose score, as far as those above let you tell, would be about {wish}. It
need not resemble any one of them.""",
    analyze="""\
Compare the candidates above with their scores. Which edits, with which values or beside which
others, go with high scores, and which with low ones? Write down one lesson that at least two of the
candidates bear out and that is not among the lessons so far. Do not propose a candidate and do not
invent a score.""",
    reply_lesson="""\
Answer with one JSON object and nothing else. Its keys, in this order:
"evidence": which of the candidates above you compare, at most {evidence_length} characters;
"lesson": what follows for candidates not tried yet, at most {lesson_length} characters.""",
)
