"""Language models that are functions in Python, and agents that ask them in the real loop.

from scripted_model import ScriptedClient, guessing, play
"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fakes import NEVER, FakeProxy, agreement, run_search
from nasarena.agents.llm.client import Client, Reply, Request
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import LlmCost, Trial

SPACE = PatternSpace("AMS", 6)
Model = Callable[[Request, np.random.Generator], str]


class ScriptedClient:
    """A client whose model is a pure function of the request and its seed."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.requests: list[Request] = []

    def complete(self, request: Request) -> Reply:
        self.requests.append(request)
        return reply_of(self._model(request, stream(request.seed, "model")))

    @property
    def prompts(self) -> list[str]:
        return ["\n".join(one["content"] for one in request.messages) for request in self.requests]


def reply_of(text: str) -> Reply:
    return Reply(text, LlmCost(calls=1, prompt_tokens=100, completion_tokens=10, flops=7))


def answer(pattern: str, expected: str = "better") -> str:
    said = {"name": f"try {pattern[:3]}", "hypothesis": "it may help", "expected": expected}
    return json.dumps({**said, "pattern": pattern})


def space_of_request(request: Request) -> PatternSpace:
    """The letters and the depth that the schema of a request allows."""
    properties = request.schema["properties"]
    kept = properties["patterns"]["items"] if "query" in properties else properties["pattern"]
    signs, depth = kept["pattern"][2:-2].split("]{")
    return PatternSpace(signs, int(depth))


def guessing(request: Request, rng: np.random.Generator) -> str:
    """A model that proposes at random, whatever it is shown."""
    if "lesson" in request.schema["properties"]:
        return json.dumps({"evidence": "all of them", "lesson": f"lesson {rng.integers(99)}"})
    if "query" in request.schema["properties"]:
        asked = ("best", "effect", "none")[rng.integers(3)]
        return json.dumps({"query": asked, "position": 1 + int(rng.integers(4))})
    return answer(space_of_request(request).sample(rng))


def climbing(request: Request, rng: np.random.Generator) -> str:
    """A model that changes one letter of the best pattern in its prompt."""
    space = space_of_request(request)
    if "query" in request.schema["properties"]:
        return json.dumps({"query": "predict", "patterns": [space.sample(rng)]})
    words = "\n".join(one["content"] for one in request.messages)
    line = rf"\b([{space.alphabet}]{{{space.depth}}}) (-?\d+\.\d+)"
    scored = {pattern: float(score) for pattern, score in re.findall(line, words)}
    if not scored:
        return answer(space.sample(rng))
    return answer(space.mutate(max(scored, key=lambda pattern: scored[pattern]), rng))


def truth(space: PatternSpace = SPACE, fails: str = NEVER) -> FakeProxy:
    """A proxy without noise."""
    return FakeProxy(space, agreement(space.sample(stream(5, "hidden"))), fails=fails)


def play(
    folder: Path,
    agent: Any,
    client: Client,
    amount: int = 20,
    parallel: int = 1,
    proxy: FakeProxy | None = None,
    seed: int = 0,
    **options: Any,
) -> list[Trial]:
    """One run of the real loop; the same folder again is a replay."""
    loop = {"amount": amount, "parallel": parallel, "seed": seed, "finalists": 0}
    return run_search(folder, agent, proxy or truth(), options=options, llm=client, **loop)


def by_agent(trials: Sequence[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.provenance != "initial_design"]
