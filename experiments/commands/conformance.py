"""The contract of a searcher, put to the test: what `nasarena check` asks of it.

Everything goes through the real loop on a synthetic landscape, so a searcher that passes here
works in a comparison. The runs are short, and shorter for a searcher that thinks long.
"""

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nasarena.proxies.landscape import Landscape
from nasarena.proxies.landscapes import additive
from nasarena.search.budget import Budget, Ledger
from nasarena.search.errors import NasArenaError, SearcherFailed
from nasarena.search.loop import LoopSettings, initial_design, run_to_end
from nasarena.search.proxy import TrialSeed
from nasarena.search.run_folder import Event, RunFolder, drop_measurements
from nasarena.search.searcher import Searcher, SearcherSpec, build_searcher
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Proposal, Trial

_LONG_TRIALS, _LONG_S = 200, 8.0  # the run that ask and tell are timed on, and when to cut it
_SHORT_S = 1.5  # what each of the other runs may take
_ASK_LIMIT_S = 10.0
_SLOW_S = 1.0  # ask and tell of one trial; beyond, a comparison waits for the searcher


@dataclass(frozen=True, slots=True)
class Finding:
    """One question of the kit and its answer."""

    question: str
    passed: bool
    words: str = ""


class _Enough(Exception):
    """Ends a run from its watcher when its time is up."""


@dataclass(slots=True)
class Kit:
    """A searcher under test; `findings` asks all questions in turn.

    `trial_s` is how long one trial takes, known after the first finding.
    """

    spec: SearcherSpec
    options: Mapping[str, Any]
    space: PatternSpace = field(default_factory=PatternSpace)
    trial_s: float = 0.0
    _whole: list[Event] | None = None  # a short run of seed 0, which several questions look at

    def findings(self) -> Iterator[Finding]:
        """Answers as they come. A searcher that cannot run at all gets the first one only."""
        try:
            yield self._check_ask_time()
        except NasArenaError as error:
            yield Finding("runs", False, str(error))
            return
        for question, ask in QUESTIONS.items():
            try:
                words = ask(self)
            except NasArenaError as error:
                words = str(error)
            yield Finding(question, not words, words)

    @property
    def num_short(self) -> int:
        """Trials of a short run."""
        return max(12, min(60, int(_SHORT_S / max(self.trial_s, 1e-6))))

    def make(self, rng: np.random.Generator) -> Searcher:
        """A fresh searcher."""
        return build_searcher(self.spec, self.space, rng, self.options, num_trials=self.num_short)

    def events(
        self,
        seed: int = 0,
        *,
        failure_rate: float = 0.0,
        num_trials: int | None = None,
        record: Sequence[Event] = (),
        watch: Callable[[Trial, Ledger], None] | None = None,
    ) -> list[Event]:
        """What a run writes down, going on from `record`."""
        proxy = additive(self.space, noise=0.1, failure_rate=failure_rate)
        budget = Budget("trials", num_trials or self.num_short)
        settings = LoopSettings(seed, budget, ask_timeout_s=_ASK_LIMIT_S, max_duplicates=50)
        with tempfile.TemporaryDirectory() as path:
            with RunFolder(Path(path), {}, {}) as folder:
                for event in record:
                    folder.append(event)
            with RunFolder(Path(path), {}, {}) as folder:
                bound = self.spec.max_parallel
                try:
                    run_to_end(folder, self.make, proxy, settings, max_parallel=bound, watch=watch)
                except _Enough:
                    pass
            with RunFolder(Path(path), {}, {}) as folder:
                return folder.events

    @property
    def whole(self) -> list[Event]:
        """The events of a short run of seed 0, made once."""
        if self._whole is None:
            self._whole = self.events()
        return self._whole

    def _check_ask_time(self) -> Finding:
        start_s = time.perf_counter()

        def watch(trial: Trial, ledger: Ledger) -> None:
            if time.perf_counter() - start_s > _LONG_S:
                raise _Enough

        events = self.events(num_trials=_LONG_TRIALS, watch=watch)
        asked = [event["measured"] for event in events if event["event"] == "asked"][1:]
        num_trials = sum(event["event"] == "settled" for event in events)
        self.trial_s = (time.perf_counter() - start_s) / num_trials
        if not asked:
            return Finding("asks at all", False, "it stopped before its first ask")
        last_s = statistics.median(one["ask_s"] + one["tell_s"] for one in asked[-20:])
        words = f"{last_s * 1000:.3g} ms to ask and tell at {num_trials} trials"
        return Finding("answers in time", last_s <= _SLOW_S, words)


def asks(events: Sequence[Event]) -> list[list[str]]:
    """What was asked, without the initial design, which the harness asks."""
    return [event["patterns"] for event in events if event["event"] == "asked"][1:]


def valid_patterns(kit: Kit) -> str:
    """A valid pattern has the space's letters and depth."""
    trials = [event["trial"] for event in kit.whole if event["event"] == "settled"]
    invalid = [trial for trial in trials if trial["status"] == "invalid"]
    if not invalid:
        return ""
    return f"{len(invalid)} of {len(trials)} were invalid: {invalid[0]['note']}"


def same_seed_same_asks(kit: Kit) -> str:
    """An ask depends on options, seed and trials told alone."""
    return _first_difference(asks(kit.whole), asks(kit.events()), "two runs of one seed")


def other_seed_other_asks(kit: Kit) -> str:
    """A searcher that ignores its seed makes all runs one run."""
    same = asks(kit.whole) == asks(kit.events(seed=1))
    return "seeds 0 and 1 ask the same: it ignores its rng" if same else ""


def no_global_randomness(kit: Kit) -> str:
    """Global generators are neither read nor moved, nor seeded."""
    _seed_globals(1)
    first = asks(kit.events())
    _seed_globals(2)
    before = _global_states()
    second = asks(kit.events())
    after = _global_states()
    moved = [name for name in before if before[name] != after[name]]
    if moved:
        return f"it uses the global generator of {' and '.join(moved)}; draw from rng alone"
    return _first_difference(first, second, "runs under two global seeds")


def replays(kit: Kit) -> str:
    """A run that is cut off goes on as if it had not been."""
    whole = kit.whole
    cut = len(whole) // 2
    resumed = kit.events(record=whole[:cut])
    if drop_measurements(resumed) == drop_measurements(whole):
        return ""
    return f"cut off after {cut} events and resumed, the run went on differently"


def survives_failures(kit: Kit) -> str:
    """A third of all patterns diverge: failed trials have no score."""
    kit.events(failure_rate=0.33)
    return ""


def tells_in_any_order(kit: Kit) -> str:
    """Batches that come back in reverse, and trials that it never asked for."""
    proxy = additive(kit.space, noise=0.1, failure_rate=0.1)
    settings = LoopSettings(5, Budget("trials", 1000))
    size = min(4, kit.spec.max_parallel or 4)
    proposals: Sequence[str | Proposal] = initial_design(proxy, settings)
    index = 0
    try:
        searcher = kit.make(stream(5, "searcher"))
        for _ in range(max(3, kit.num_short // size)):
            batch = [
                _trial(proxy, index + offset, proposal) for offset, proposal in enumerate(proposals)
            ]
            index += len(batch)
            searcher.tell(batch[::-1])
            proposals = searcher.ask(size)
    except NasArenaError:
        raise
    except Exception as error:
        raise SearcherFailed(f"it raised {type(error).__name__}: {error}") from error
    return ""


QUESTIONS: dict[str, Callable[[Kit], str]] = {
    "asks valid patterns": valid_patterns,
    "same seed, same asks": same_seed_same_asks,
    "other seed, other asks": other_seed_other_asks,
    "no global randomness": no_global_randomness,
    "goes on by replay": replays,
    "survives failed trials": survives_failures,
    "takes tells in any order": tells_in_any_order,
}


def _trial(proxy: Landscape, index: int, proposal: str | Proposal) -> Trial:
    if isinstance(proposal, str):
        proposal = Proposal(proposal)
    pattern, fidelity = proxy.space.validate(proposal.pattern), proposal.fidelity
    outcome = proxy.evaluate([pattern], [TrialSeed(5)], fidelities=[fidelity])[0]
    return Trial(
        index, pattern, outcome.status, outcome.score, cost=outcome.cost, fidelity=fidelity
    )


def _first_difference(first: Sequence[object], second: Sequence[object], what: str) -> str:
    for number, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return f"{what} differ at ask {number}: {one} and {other}"
    return "" if len(first) == len(second) else f"{what} make {len(first)} and {len(second)} asks"


def _seed_globals(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - it is the global generator that is watched
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def _global_states() -> dict[str, object]:
    numpy_state: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    states: dict[str, object] = {
        "random": random.getstate(),
        "numpy.random": (numpy_state["state"]["key"].tobytes(), numpy_state["state"]["pos"]),
    }
    if "torch" in sys.modules:
        states["torch"] = sys.modules["torch"].get_rng_state().numpy().tobytes()
    return states
