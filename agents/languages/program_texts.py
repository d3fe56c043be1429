"""The texts about whole programs. A reply is free text: code in JSON costs a model dearly."""

from nasarena.agents.languages.language import Words

TASK = """\
You write a Python program that is scored. {about}
The program is one file. At top level it must define {functions}; it may import {imports} and
nothing else, has at most {characters} characters, and may not use open, eval, exec and
their like.
It runs apart from what scores it: what it prints counts for nothing.

The program as it is given:
{given}"""

WORDS = Words(
    rules="""\
A higher score is better. Every program that is scored uses up a limited budget, so make each one
count: it should either win or teach something that decides what to try next. A program that differs
from an earlier one in comments or names of local variables alone is that program again.""",
    noise="""\
The same program scored again differs by about {noise} (one standard deviation): a smaller
difference between two programs means nothing.""",
    reply="""\
Answer in this form and with nothing else: three lines, then the program.
NAME: what to call the idea, at most {name_length} characters
HYPOTHESIS: why you expect the score that you expect, at most {hypothesis_length} characters
EXPECTED: better, worse or same, compared with the program that you start from (the better one of
two), or with the best so far if you start from none that has a score
The program is either the whole file,
```python
(the file)
```
or, only where you start from a program, blocks that change it. The text to search must stand in
that program, and only once:
<<<<<<< SEARCH
(lines of that program)
=======
(lines to put in their place)
>>>>>>> REPLACE""",
    draft="""\
{best}Write one new program, the whole file, built on another idea than those above. {cue}""",
    cues=(
        "Keep it plain: a single idea that one sentence can describe.",
        "Combine two ideas, each in a part of the program of its own.",
        "The plain ideas are taken: be bold, and choose a design that is far from all of them.",
    ),
    improve="""\
Start from this program:
{parents}
Change one thing about it and nothing else, so that whatever happens to the score is due to that
change. State the change in the hypothesis.""",
    crossover="""\
Two programs of the same search:
{parents}
Write one child of them, the whole file: take from each the parts that you hold responsible for its
score. Say in the hypothesis what came from where.""",
    debug_failed="""\
This program could not be scored:
{parents}
Find the reason. Make the smallest change that should remove it and keeps the idea.""",
    debug_duplicate="""\
You proposed this program, but it is not new:
{parents}
Keep the idea and carry it to a program close by that does something else than those above.""",
    debug_invalid="""\
Your last answer could not be used:
{parents}
Propose a program again, and keep to the form asked for.""",
    wish="""\
Write one new program, the whole file, whose score, as far as those above let you tell, would be
about {wish}.""",
    analyze="""\
Compare the programs above with their scores: what was changed, and what did it do? Write down one
lesson that at least two of the programs bear out and that is not among the lessons so far. Do not
write a program and do not invent a score.""",
    reply_lesson="""\
Answer with one JSON object and nothing else. Its keys, in this order:
"evidence": which of the programs above you compare, at most {evidence_length} characters;
"lesson": what follows for programs not tried yet, at most {lesson_length} characters.""",
)
BEST = "The best program so far:\n{program}\n\n"
TRACE = "Where it failed, the innermost call last:"
SMOKE = "It failed in its smoke run, a few seconds before the full time."
CHANGED = "What was changed since program {index}, the last one that was scored:"
