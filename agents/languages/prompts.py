"""The texts about patterns, and those that stand in every prompt; others only fill in the blanks.

A prompt is versioned by the hash of these texts (`version`), which is recorded with each proposal.
`SIGNS` replaces `LAYERS` when letters are anonymous; so the other texts must not name anything that
is special to neural networks: they speak of patterns, letters, positions and scores.
"""

import hashlib

LAYERS = """\
You help to design small language models. A model is a stack of {depth} residual layers. A pattern
names the kind of each layer by one letter, from the input side (position 1) to the output side
(position {depth}):
{legend}
All {size} patterns of {depth} letters from {alphabet} are allowed. To score a pattern, a model of
that shape is built at a small width, trained briefly from scratch and tested on data that it has
not seen."""

SIGNS = """\
You search for good strings, called patterns. A pattern has {depth} letters, each one of
{alphabet}; positions count from 1 to {depth}. All {size} patterns are allowed. An unknown function
gives each pattern a score; the letters have no meaning beyond what the scores tell."""

RULES = """\
A higher score is better. Every pattern that is scored uses up a limited budget, so make each one
count: it should either win or teach something that decides what to try next. A pattern that was
tried before tells nothing new."""

NOISE = """\
The same pattern scored again differs by about {noise} (one standard deviation): a smaller
difference between two patterns means nothing."""

# Where patterns are shown in another form.
RANKS = "In the place of its score stands the rank of a pattern: #1 has the highest score so far."
DIFFERENCES = "Scores are given as differences to the highest score so far."
RUNS = """\
Patterns are written as run lengths: the number before a letter says how often it stands there in a
row."""

REPLY = "Answer with one JSON object and nothing else. Its keys, in this order:\n{keys}."

# The keys of a reply.
IDEA = """\
"name": what to call the idea, at most {name_length} characters;
"hypothesis": why you expect the score that you expect, at most {hypothesis_length} characters;
"expected": "better", "worse" or "same", compared with the pattern that you start from (the better
one of two), or with the best so far if you start from none that has a score"""
PATTERN = '"pattern": exactly {depth} letters from {alphabet}, without spaces'
PATTERN_IN_RUNS = '"pattern": run lengths of letters from {alphabet} that add up to {depth}'
EXAMPLE = "For example: {reply}"

REPLY_LESSON = """\
Answer with one JSON object and nothing else. Its keys, in this order:
"evidence": which of the patterns above you compare, at most {evidence_length} characters;
"lesson": what follows for patterns not tried yet, at most {lesson_length} characters."""

REPLY_QUERY = """\
Answer with one JSON object and nothing else. Its keys:
"query": "predict" (which score each of some patterns would have), "best" (which patterns not tried
would score highest), "effect" (what each letter does at one position) or "none";
"patterns": with "predict", a list of at most {most} patterns, each of {depth} letters from
{alphabet};
"position": with "effect", a number from 1 to {depth}."""

LESSONS_HEADING = "Lessons so far"
PENDING_HEADING = "Being scored now, not to be repeated"
READINGS_HEADING = "Estimates that you asked for (not scores; +- is one standard deviation)"
BEST = "The best so far: {line}"
BUDGET = "{left} of the budget is left."

DRAFT = "Propose one new pattern from scratch, built on another idea than those above. {cue}"

# How daring a new draft should be, by the number of drafts before it.
CUE_SIMPLE = "Keep it plain: a single idea that one sentence can describe."
CUE_COMBINED = "Combine two ideas, each with a part of the pattern to itself."
CUE_BOLD = (
    "The plain ideas are taken: be bold, and choose an arrangement that is far from all of them."
)

QUERY = """\
Soon you will propose one new pattern. Before that you may ask an estimator, which was fitted to all
scored patterns of this search and can be far off where few are like the one in question. Asking
uses up nothing of the budget. Questions left: {left}. Ask what would change your mind, or "none"
if you know what to propose."""

IMPROVE = """\
Start from this pattern:
{parents}
Change one thing about it and nothing else: replace one letter, move or swap two blocks, or let one
run of equal letters grow at the cost of the next. Then whatever happens to the score is due to that
change."""
IMPROVE_HYPOTHESIS = " State the change in the hypothesis."

CROSSOVER = """\
Two patterns of the same search:
{parents}
Make one child of them. Where both have the same letter, keep it; elsewhere take from each parent
the stretch that you hold responsible for its score."""
CROSSOVER_HYPOTHESIS = " Say in the hypothesis what came from where."

DEBUG_FAILED = """\
This pattern could not be scored:
{parents}
Find the likely reason. Propose the smallest change to the pattern that should remove it and keeps
its idea."""

DEBUG_DUPLICATE = """\
You proposed this pattern, but it is not new:
{parents}
Keep the idea and carry it to a pattern close by that is in none of the lists above."""

DEBUG_INVALID = """\
Your last answer could not be used:
{parents}
Propose a pattern again, and keep to the form asked for."""

WISH = """\
Propose one new pattern whose score, as far as the patterns above let you tell, would be
about {wish}. It need not resemble any one of them."""

ANALYZE = """\
Compare the patterns above with their scores. Which letters, at which positions or in which
neighbourhoods, go with high scores, and which with low ones? Write down one lesson that at least
two of the patterns bear out and that is not among the lessons so far. Do not propose a pattern and
do not invent a score."""


def version(*texts: str) -> str:
    """Twelve hex digits that change whenever one of these texts does."""
    return hashlib.sha256("\x1e".join(texts).encode()).hexdigest()[:12]
