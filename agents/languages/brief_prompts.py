"""The texts about patterns in few words, for models whose prompts cost more than their replies.

A model on a CPU reads a long prompt for longer than it writes. These texts say what `prompts.py`
says about task, scores and reply, and leave out advice. As there, all but `LAYERS` are neutral.
"""

LAYERS = """\
Find the best pattern of {depth} letters, the layers of a small language model: {legend}."""

SIGNS = """\
Find the best pattern of {depth} letters, each one of {alphabet}."""

# What stands behind a pattern.
RULES = "A higher score is better."
RANKS = "#1 has the highest score so far."
DIFFERENCES = "A higher score is better. It is told as the difference to the highest so far."

NOISE = "Scored again, a pattern differs by about {noise}."

# Its outer braces outlast two rounds of filling in.
REPLY = "Answer with JSON alone: {{{{{keys}}}}}"

# The keys of a reply with their blanks, by what stands in it.
PATTERN = '"pattern": "{depth} letters from {alphabet}"'
RUNS = '"pattern": "run lengths that add up to {depth}"'
IDEA = (
    '"name": "a title", "hypothesis": "why, in one sentence", "expected": "better, worse or same"'
)

DRAFT = "Propose one new pattern that should score highest."

IMPROVE = """\
Improve this pattern by one small change:
{parents}"""

CROSSOVER = """\
Make one new pattern of parts of these two:
{parents}"""

DEBUG_FAILED = """\
This pattern could not be scored:
{parents}
Change it a little, so that it can."""

DEBUG_DUPLICATE = """\
This pattern was tried before:
{parents}
Propose one close to it that was not."""

DEBUG_INVALID = """\
This answer could not be used:
{parents}
Propose a pattern in the form asked for."""

WISH = "Propose one new pattern that would score about {wish}."
