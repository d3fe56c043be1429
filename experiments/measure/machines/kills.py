"""`kill -9` of workers, actors, nodes and the command itself, at random moments of a comparison.

On a real Ray of two nodes on this machine: one that has no cores, and one that does the work. What
is struck is a worker process, the Ray actor above it, the second node with all that runs there (a
new one joins at once), or the command, which is then given again. In the end the events must be
those of the same comparison that this machine ran in peace: nothing is lost, nothing is there
twice. After a strike no settled trial may be gone; after the end no actor may live on.

    python -m nasarena.experiments.measure.machines.kills [--save] [--kills=20]
"""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nasarena.experiments.measure.faults.kills import find_loss
from nasarena.experiments.measure.faults.processes import living_below, wait_for_end
from nasarena.experiments.measure.faults.tally import Tally
from nasarena.experiments.measure.faults.victim import TARGETS, Victim, complaint, undisturbed
from nasarena.experiments.measure.record import read_option, record
from nasarena.proxies.sandbox.processes import descendants
from nasarena.search.seeding import stream

WHOM = ("worker", "actor", "node", "command")
_TARGET = "quick with small models"
_ROUND = 5  # strikes before a comparison may come to its end
_LATEST_S = 0.2  # after the bytes at which a strike is due
_GRACE_S = 60.0  # in which the actors of a killed command must have ended
_PATIENCE_S = 600.0


@dataclass
class Nodes:
    """A Ray of a node without cores and of one that works."""

    cluster: Any
    worker: Any

    def replace_worker(self) -> None:
        """The end of the node that works, and another one."""
        self.cluster.remove_node(self.worker, allow_graceful=False)
        self.worker = self.cluster.add_node(num_cpus=2)


def measure() -> None:
    """Strike, print, and keep if asked to."""
    num_kills = read_option("kills", 20)
    with tempfile.TemporaryDirectory() as name, two_nodes() as nodes:
        folder = Path(name)
        peace = undisturbed(TARGETS[_TARGET], folder / "peace", folder / "cache")
        tallies = [strike_often(nodes, whom, peace, num_kills) for whom in WHOM]
    rows = [tally.row() for tally in tallies]
    summary = {key: sum(row[key] for row in rows) for key in ("tried", "held")}
    record("ray_kills", rows, summary, module="machines.kills")


@contextmanager
def two_nodes() -> Iterator[Nodes]:
    """A Ray for as long as the measurement takes."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        yield Nodes(cluster, cluster.add_node(num_cpus=2))
    finally:
        cluster.shutdown()


def strike_often(nodes: Nodes, whom: str, peace: Victim, num_kills: int) -> Tally:
    """Comparisons, each struck some times, until there were enough strikes."""
    tally, rng = Tally("ray", f"kill -9 of the {whom}"), stream(0, "ray kills", whom)
    by_ray = ["launcher=ray", f"launcher.address={nodes.cluster.address}", "launcher.attempts=99"]
    while tally.tried < num_kills:
        folder = peace.folder.with_name(f"{whom}-{tally.tried}")
        victim = Victim([*peace.settings, *by_ray], folder, peace.cache)
        sizes = np.sort(rng.integers(0, peace.num_bytes(), _ROUND)).tolist()
        strikes, failure = _strike_one_comparison(nodes, whom, victim, sizes, rng)
        if not failure and victim.outcome() != peace.outcome():
            failure = "other events than those of this machine in peace"
        tally.note(failure, strikes)
    return tally


def _strike_one_comparison(
    nodes: Nodes, whom: str, victim: Victim, sizes: Sequence[int], rng: np.random.Generator
) -> tuple[int, str]:
    """How often it was struck before it came to its end, and what was wrong."""
    strikes, failure, seen = 0, "", dict[int, str]()
    with tempfile.TemporaryFile() as errors:
        process = victim.start(errors)
        for size in sizes:
            _wait_for(process, victim, size)
            time.sleep(rng.uniform(0, _LATEST_S))
            before = victim.settled()
            seen |= _living_actors()
            if process.poll() is not None:
                break
            strikes += _strike(nodes, whom, process, rng)
            if whom == "command":
                process.wait()
                process = victim.start(errors)
            failure = failure or find_loss(before, victim)
        code = process.wait(_PATIENCE_S)
        errors.seek(0)
        failure = failure or complaint(code, errors.read().decode(errors="replace"), [0])
    left = wait_for_end(seen | _living_actors(), _GRACE_S)
    return strikes, failure or (f"{len(left)} processes of actors lived on" if left else "")


def _strike(
    nodes: Nodes, whom: str, process: "subprocess.Popen[bytes]", rng: np.random.Generator
) -> int:
    """One strike; 0 where there was nobody to be struck."""
    if whom == "node":
        nodes.replace_worker()
        return 1
    if whom == "command":
        found = [process.pid]
    else:
        found = _actors()
        if whom == "worker":
            found = [one for actor in found for one in descendants(actor)]
    if found:
        os.kill(int(rng.choice(sorted(found))), signal.SIGKILL)
    return bool(found)


def _wait_for(process: "subprocess.Popen[bytes]", victim: Victim, size: int) -> None:
    """Until the record has grown to `size` or the command has ended."""
    while process.poll() is None and victim.num_bytes() <= size:
        time.sleep(0.005)


def _living_actors() -> dict[int, str]:
    """Actors and what they started, each with when it began."""
    every = living_below(os.getpid())
    ours = {one for actor in _actors() for one in [actor, *descendants(actor)]}
    return {one: start for one, start in every.items() if one in ours}


def _actors() -> list[int]:
    """Ray's processes of ours below this one."""
    return [one for one in descendants(os.getpid()) if b"_Agent" in _words_of(one)]


def _words_of(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    measure()
