"""The end of a traceback in one line, as `ValueError: ... (line 88 of train, line 45 of forward)`.

The lines are those of the program, innermost last: who mends it looks them up there.
"""

import re

_CALL = re.compile(r'File "program\.py", line (\d{1,6}), in ([\w<>]{1,60})')
_MOST_CALLS = 5
_MOST_WORDS = 180  # characters of the error itself


def crash_words(log: str) -> str:
    """What the last line of a log says, and the calls of the last traceback in it; empty for none.

    A program may write what it likes there: this is text for people and models, and no verdict.
    """
    lines = log.strip().splitlines()
    if not lines:
        return ""
    last = lines[-1][:_MOST_WORDS]
    traceback = log[log.rfind("Traceback (most recent call last)") :]
    calls = _CALL.findall(traceback)[-_MOST_CALLS:]
    places = ", ".join(f"line {number} of {name}" for number, name in calls)
    return f"{last} ({places})" if places else last
