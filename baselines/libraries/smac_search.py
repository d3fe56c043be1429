"""SMAC, the random forest and expected improvement of AutoML (Lindauer et al. 2022).

It runs in a process of its own, whose hashes have a fixed order (`smac_process`): only so the same
trials lead to the same asks in a run that is resumed. Letters are numbers to it, so their names
change nothing.
"""

import json
import os
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from nasarena.baselines.options import NUM_STARTUP, NumStartup
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

RetrainAfter = Annotated[
    int, Field(ge=1, description="asks from one forest; SMAC's own default is 8")
]
# The forest is asked hundreds of times an ask; to start threads each time took four fifths of it.
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "LOKY_MAX_CPU_COUNT": "1"}
_WAIT_S = 5.0  # for a process that was told to end


class SmacSearch:
    """Shared by the searchers of patterns and of edits; not a searcher by itself."""

    def __init__(
        self,
        space: Any,
        rng: np.random.Generator,
        num_startup: NumStartup = NUM_STARTUP,
        retrain_after: RetrainAfter = 1,
    ) -> None:
        self._space = space
        self._worker = _Worker(
            {
                "parameters": self.parameters(),
                "seed": int(rng.integers(2**31)),
                "num_startup": num_startup,
                "retrain_after": retrain_after,
            }
        )
        self._waiting: dict[str, list[list[Any]]] = {}

    def parameters(self) -> list[dict[str, Any]]:
        """What SMAC is to search, as `smac_process` takes it."""
        raise NotImplementedError

    def spell(self, point: Sequence[Any]) -> str:
        """The candidate of a point."""
        raise NotImplementedError

    def point_of(self, candidate: str) -> list[Any]:
        """The point of a candidate that was not asked here."""
        raise NotImplementedError

    def ask(self, n: int) -> list[str]:
        points = self._worker.answer({"ask": n})
        candidates = [self.spell(point) for point in points]
        for candidate, point in zip(candidates, points, strict=True):
            self._waiting.setdefault(candidate, []).append(point)
        return candidates

    def tell(self, trials: Sequence[Trial]) -> None:
        results = []
        for trial in trials:
            if waiting := self._waiting.get(trial.pattern):
                results.append((waiting.pop(0), trial.score))
            elif trial.pattern in self._space:
                results.append((self.point_of(trial.pattern), trial.score))
        if results:
            self._worker.answer({"tell": results})


@searcher("smac", requires="smac")
class Smac(SmacSearch):
    """SMAC's random forest; a choice of letters for each layer."""

    _space: PatternSpace

    def parameters(self) -> list[dict[str, Any]]:
        """A letter for each layer."""
        return [{"kind": "choice", "count": len(self._space.alphabet)}] * self._space.depth

    def spell(self, point: Sequence[Any]) -> str:
        """The pattern of these places in the alphabet."""
        return "".join(self._space.alphabet[place] for place in point)

    def point_of(self, candidate: str) -> list[Any]:
        """The places of its letters in the alphabet."""
        return [self._space.alphabet.index(letter) for letter in candidate]


class _Worker:
    """The process; it is ended with this object, and by itself when nobody is left to ask."""

    def __init__(self, first: dict[str, Any]) -> None:
        folder = tempfile.TemporaryDirectory(prefix="nasarena-smac-")
        self._said = Path(folder.name, "said")
        with self._said.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "nasarena.baselines.libraries.smac_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=folder.name,  # it writes a folder of its own
                env={**os.environ, **_ENVIRONMENT},
            )
        weakref.finalize(self, _end, self._process, folder)
        self._send(first)

    def answer(self, message: dict[str, Any]) -> Any:
        """What it says to a message. Raises RuntimeError with its last words if it has ended."""
        self._send(message)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            said = self._said.read_text().strip().splitlines() or ["it said nothing"]
            raise RuntimeError(f"SMAC ended: {said[-1]}")
        return json.loads(line)

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer that does not come says why


def _end(process: "subprocess.Popen[str]", folder: "tempfile.TemporaryDirectory[str]") -> None:
    """Its input ends, so it does; if not, it is killed."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except BrokenPipeError:
                pass
    try:
        process.wait(_WAIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    folder.cleanup()
