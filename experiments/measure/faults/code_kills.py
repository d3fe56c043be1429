"""`kill -9` of `nasarena design mode=code` at random moments, an agent writing programs in it.

The agent is the real one, through the real client, with a server whose model is a function. After
each kill no process of the command may live on, the sandboxes of programs among them; the same
command then goes on, and in the end the events must be those of the undisturbed run.
"""

import re
import shutil
import signal
import tempfile
import time
from pathlib import Path

import numpy as np

from nasarena.experiments.measure.faults.chat_server import serve
from nasarena.experiments.measure.faults.processes import living_below, wait_for_end
from nasarena.experiments.measure.faults.tally import Tally
from nasarena.experiments.measure.faults.victim import Victim, complaint, undisturbed
from nasarena.search.seeding import stream

_KILLS = 20
_LATEST_S = 0.5  # after the bytes at which a kill is due
_GRACE_S = 15.0  # in which what a killed command had started must have ended
_SETTINGS = (
    "mode=code clock=steps seconds=1 scale=smoke seeds=1 trials=3 initial_design=1 workers=1 "
    "searchers=[agent-greedy] report=false cache=false"
).split()


def write_program(messages: list[dict[str, str]], seed: int) -> str:
    """The given script with another batch, always well-formed."""
    given = re.search(r"```python\n(.*?)```", messages[0]["content"], re.DOTALL)
    if given is None:
        return "the canary gets no program"
    batch = 1 + seed % 15
    body = re.sub(r"(?m)^BATCH, TRAIN_LENGTH = .*$", f"BATCH, TRAIN_LENGTH = {batch}, 32", given[1])
    return f"NAME: batch {batch}\nHYPOTHESIS: it is faster\nEXPECTED: better\n```python\n{body}```"


def attack(effort: float) -> list[Tally]:
    """Kill; `effort` scales how often."""
    tally = Tally("nasarena design mode=code with an agent", "kill -9 of the parent")
    rng = stream(0, "code kills")
    with tempfile.TemporaryDirectory() as name, serve(write_program) as server:
        folder = Path(name)
        settings = (*_SETTINGS, f"llm.base_url={server.url}")
        peace = undisturbed(settings, folder / "peace", folder / "cache", "design")
        whole = peace.num_bytes()
        for size in rng.integers(0, whole, max(1, round(_KILLS * effort))).tolist():
            victim = Victim(settings, folder / "struck", folder / "cache", "design")
            failure = _kill_at(victim, size, rng) or complaint(*victim.run(), allowed=[0])
            if not failure and victim.outcome() != peace.outcome():
                failure = "other events than those of the undisturbed run"
            tally.note(failure)
            shutil.rmtree(victim.folder)
    return [tally]


def _kill_at(victim: Victim, size: int, rng: np.random.Generator) -> str:
    """Kill it when its record has grown to `size`; what lives on of it, in words."""
    with tempfile.TemporaryFile() as errors:
        process = victim.start(errors)
        while process.poll() is None and victim.num_bytes() <= size:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, _LATEST_S))
        below = living_below(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = wait_for_end(below, _GRACE_S)
    return f"{len(left)} processes lived on" if left else ""
