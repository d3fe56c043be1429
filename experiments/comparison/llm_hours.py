"""How long language models will take: said before they begin, in hours, from a few real requests.

Every agent is rehearsed: its search is done with random scores and a model that replies at random,
which says how many calls it makes and what they ask. Some of these requests, drawn at random over
all runs that are left, are put to the real model, as many at once as there are workers. Their mean
time, by the calls that are left, is the estimate. Trainings come on top, and what is asked again:
because a pattern was tried before, or a reply could not be read.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from rich.console import Console

from nasarena.agents.llm.errors import LlmRefused, LlmUnavailable
from nasarena.agents.llm.messages import Reply, Request
from nasarena.agents.llm.store import EVENT
from nasarena.experiments.comparison.llm import Access
from nasarena.experiments.comparison.plan import Comparison
from nasarena.experiments.comparison.run_spec import RunSpec, make_searcher
from nasarena.experiments.comparison.shared_model import cells_that_ask
from nasarena.experiments.settings.config import CompareConfig
from nasarena.search.machine import num_cores
from nasarena.search.notation import run_lengths
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import LlmCost, Proposal, Trial

_PATTERN = re.compile(r"\[([A-Za-z]+)\]\)?\{(?:1,)?([0-9]+)\}")


class Rehearsal:
    """A model that replies at random, in the form asked for, and keeps what it was asked."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.requests: list[Request] = []
        self._rng = rng

    def complete(self, request: Request) -> Reply:
        """A reply that can be read, and costs nothing."""
        self.requests.append(request)
        properties = (request.schema or {}).get("properties", {})
        said: dict[str, str] = dict.fromkeys(properties, "-")
        if "query" in said:
            said = {"query": "best"}
        if "expected" in said:
            said["expected"] = "better"
        if "pattern" in said:
            said["pattern"] = self._pattern(properties["pattern"]["pattern"])
        return Reply(json.dumps(said), LlmCost(calls=1))

    def _pattern(self, regex: str) -> str:
        found = _PATTERN.search(regex)
        assert found is not None, f"no pattern of letters: {regex}"
        pattern = PatternSpace(found[1], int(found[2])).sample(self._rng)
        return run_lengths(pattern) if ")" in regex else pattern


def rehearse(cell: RunSpec) -> list[Request]:
    """The requests of a run of this kind, repeats and repairs aside."""
    assert isinstance(cell.space, PatternSpace)
    rng = stream(cell.seed, "rehearsal", cell.entrant.label)
    model = Rehearsal(rng)
    searcher = make_searcher(cell, model, rng)
    design = cell.settings.initial_design
    given = [Proposal(cell.space.sample(rng), "initial_design") for _ in range(design)]
    searcher.tell([_trial(index, one, rng) for index, one in enumerate(given)])
    for index in range(design, cell.num_trials + 1):  # the last proposal does not fit any more
        asked = searcher.ask(1)
        if not asked:
            break
        proposal = asked[0] if isinstance(asked[0], Proposal) else Proposal(asked[0])
        searcher.tell([_trial(index, proposal, rng)])
    return model.requests


def _trial(index: int, made: Proposal, rng: np.random.Generator) -> Trial:
    score = float(rng.standard_normal())
    return Trial(
        index, made.pattern, "ok", score, provenance=made.provenance, parents=made.parents,
        details=made.details,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Work:
    """Calls that are left of the agents of one label, and what some of them ask."""

    label: str
    num_runs: int
    num_calls: int
    requests: Sequence[Request]


def work_left(comparisons: Sequence[Comparison], retry_failed: bool) -> list[Work]:
    """What the agents of these comparisons still have to ask, by label."""
    cells = [cell for each in comparisons for cell in cells_that_ask(each, retry_failed)]
    done = {cell.path: 0 for cell in cells}
    for each in comparisons:
        for cell in each.cells:
            if cell.path in done and (record := each.records.of(cell.path)) is not None:
                done[cell.path] = sum(1 for _ in record.of_kind(EVENT))
    runs = Counter(cell.entrant.label for cell in cells)
    found = []
    for label in runs:
        own = [cell for cell in cells if cell.entrant.label == label]
        requests = rehearse(own[0])
        calls = sum(max(0, len(requests) - done[cell.path]) for cell in own)
        found.append(Work(label, runs[label], calls, requests))
    return found


def seconds_per_call(work: Sequence[Work], access: Access, at_once: int) -> float:
    """The mean time of a call when so many are made at once: wall time by number of calls."""
    rng = stream(0, "hours of a language model")
    weights = np.array([one.num_calls for one in work], dtype=float)
    requests = []
    for place in rng.choice(len(work), size=2 * at_once, p=weights / weights.sum()):
        own = work[int(place)].requests
        requests.append(own[int(rng.integers(len(own)))])

    def ask(request: Request) -> None:
        with closing(access.connect(0)) as client:  # a client serves one thread
            client.complete(request)

    start_s = time.perf_counter()
    threads = ThreadPoolExecutor(at_once)
    try:
        list(threads.map(ask, requests))
    finally:  # Ctrl-C does not wait for replies that take minutes
        threads.shutdown(wait=False, cancel_futures=True)
    return (time.perf_counter() - start_s) / len(requests)


def announce_hours(
    comparisons: Sequence[Comparison],
    config: CompareConfig,
    console: Console,
    access: Access | None = None,
) -> None:
    """Say how many calls are left, of whom, and about how many hours they take.

    Nothing is said where no agent has anything left to ask, and of other spaces than patterns.
    """
    if not isinstance(config.space, PatternSpace):
        return
    work = [one for one in work_left(comparisons, config.retry_failed) if one.num_calls]
    cells = [cell for each in comparisons for cell in each.cells]
    access = access or next((cell.access for cell in cells if cell.access is not None), None)
    if not work or access is None:
        return
    at_once = config.workers or num_cores()
    try:
        with console.status("trying how fast the language model is"):
            each_s = seconds_per_call(work, access, at_once)
    except (LlmRefused, LlmUnavailable) as error:  # the runs say it themselves
        console.print(f"no hours can be foretold: {error}", markup=False, soft_wrap=True)
        return
    for one in work:
        hours = one.num_calls * each_s / 3600
        console.print(
            f"{one.label}: {one.num_calls:,} calls in {one.num_runs} runs, {hours:.1f} h",
            markup=False,
            soft_wrap=True,
        )
    total = sum(one.num_calls for one in work)
    console.print(
        f"language model: at least {total * each_s / 3600:.1f} hours for {total:,} calls, "
        f"{each_s:.2f} s each with {at_once} at once; replies that repeat a pattern or cannot be "
        f"read come on top, and so do trainings. Ctrl-C ends it, the same command goes on",
        markup=False,
        soft_wrap=True,
    )
