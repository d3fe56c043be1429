"""The comparison that an attack is made on: real commands in processes of their own.

What it should have come to is known from the same command that nobody disturbed. Evaluations are
not cached, so that a resumed run trains again; the cache has what machines share: kernels,
calibrations, tables.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasarena.agents.llm.store import Store
from nasarena.search.run_folder import drop_measurements, find_runs, read_run

_TOGETHER = "seeds=2 workers=2 references=false report=false cache=false name=x".split()
_CODE = "from nasarena.experiments.commands.cli import main; raise SystemExit(main())"
_PATIENCE_S = 300.0  # a command that takes longer hangs

TARGETS: Mapping[str, Sequence[str]] = {
    "additive with the embedded agent": (
        "proxy=additive searchers=[random,agent-sequential] llm=scribe budget.patterns=24".split()
    ),
    "patternbench": (
        "proxy=patternbench searchers=[evolution,tpe] final_proxy=same budget.patterns=60".split()
    ),
    "quick with small models": (
        "proxy=quick proxy.train.steps=30 proxy.train.num_eval=8 proxy.model.width=16 "
        "space.depth=8 searchers=[random,evolution] budget.patterns=24"
    ).split(),
}


@dataclass(frozen=True, slots=True)
class Victim:
    """A comparison in `folder`, made by the command with these settings."""

    settings: Sequence[str]
    folder: Path
    cache: Path
    main: str = "compare"

    @property
    def runs(self) -> Path:
        """The comparison's folder."""
        return self.folder / "runs" / "x"

    def start(self, stderr: Any, command: str = "") -> "subprocess.Popen[bytes]":
        """The command in a process group of its own."""
        arguments = [command, "runs/x"]
        if command in ("", self.main):
            together = _TOGETHER if self.main == "compare" else ("name=x",)
            arguments = [self.main, *together, *self.settings]
        self.folder.mkdir(exist_ok=True)
        return subprocess.Popen(
            [sys.executable, "-c", _CODE, *arguments],
            cwd=self.folder,
            env={**os.environ, "NASARENA_CACHE": str(self.cache)},
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )

    def run(self, command: str = "") -> tuple[int, str]:
        """The command to its end: exit code, negative for a signal, and standard error."""
        process = self.start(subprocess.PIPE, command)
        try:
            _, said = process.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            return -9, f"still running after {_PATIENCE_S:g} s"
        return process.returncode, said.decode(errors="replace")

    def outcome(self) -> dict[str, Any]:
        """What must be equal in the end: events without measured times, and the benchmark."""
        found: dict[str, Any] = {
            str(path.relative_to(self.runs)): timeless_events(path) for path in find_runs(self.runs)
        }
        benchmark = self.runs / "benchmark.json"
        return found | {"benchmark": benchmark.read_text() if benchmark.exists() else None}

    def num_bytes(self) -> int:
        """How much of its events is written."""
        return sum(file.stat().st_size for file in self.runs.glob("*/*/events.jsonl"))

    def settled(self) -> dict[str, int]:
        """How many trials each run has on record."""
        return {str(path): len(read_run(path).trials()) for path in find_runs(self.runs)}


def undisturbed(
    settings: Sequence[str], folder: Path, cache: Path, main: str = "compare"
) -> Victim:
    """The same comparison in peace. Raises RuntimeError where even that fails."""
    victim = Victim(settings, folder, cache, main)
    code, said = victim.run()
    if code != 0:
        raise RuntimeError(f"undisturbed, it ended with {code}: {said}")
    return victim


def timeless_events(path: Path) -> list[Any]:
    """The events of a run without anything that a clock said.

    A model that is asked anew takes another time, which stands in its reply, and so in its hash.
    """
    store, events = Store(path), list[Any]()
    for event in drop_measurements(read_run(path).events):
        reply = {"reply": store.get(event["reply"])} if "reply" in event else {}
        events.append(_drop_seconds({**event, **reply}))
    return events


def _drop_seconds(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _drop_seconds(one) for key, one in value.items() if key != "seconds"}
    return [_drop_seconds(one) for one in value] if isinstance(value, list) else value


def complaint(code: int, said: str, allowed: Sequence[int]) -> str:
    """What is wrong with how a command ended; nothing where its end is as promised."""
    if code not in allowed:
        return f"exit code {code}: {said.strip()[-200:]}"
    if "Traceback" in said:
        return f"a traceback: {said.strip().splitlines()[-1][:200]}"
    return ""
