"""The one loop: ask -> check -> reserve -> evaluate -> settle -> record -> tell.

The same for every searcher. Resume is replay: the loop always starts from the beginning with a
fresh searcher, and as long as the run folder holds events it checks that the searcher asks again
what it asked and takes outcomes from the record instead of training. Only then does it go on live.

Rules, the same for all: a trial that does not fit into what is left is not started and the run
ends; failures are charged in full; a pattern already evaluated in this run is a duplicate, answered
from the record and free (`duplicates="retrain"` trains it again with a new seed, charged); an
invalid proposal is free and counted; too many free trials in a row end the run. A pattern may be
scored after a part of its training (search/fidelity.py) and again after more of it: each time the
increment is charged, and what was paid for already is a duplicate.
"""

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from nasarena.search.budget import Budget, Ledger, Reservation
from nasarena.search.errors import (
    BudgetSpent,
    InvalidPattern,
    InvalidSetting,
    NasArenaError,
    SearcherFailed,
)
from nasarena.search.fidelity import Payments, check_fidelity, cost_at, evaluate_at
from nasarena.search.journal import Journal, describe_pattern
from nasarena.search.proxy import Proxy, TrialSeed
from nasarena.search.retraining import FinishedSearch, retrain_best
from nasarena.search.run_folder import RunFolder
from nasarena.search.searcher import Searcher
from nasarena.search.seeding import stream
from nasarena.search.time_limit import TimeLimit
from nasarena.search.trial import Cost, Proposal, Trial


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """What the loop needs to know besides searcher and proxy; see DESIGN for the meaning.

    `max_duplicates` bounds the free trials (duplicates and invalid proposals) in a row.
    `top_k` patterns are trained again `final_replicates` times each after the search.
    """

    seed: int
    budget: Budget
    initial_design: int = 4
    parallel: int = 1
    duplicates: Literal["reuse", "retrain"] = "reuse"
    max_duplicates: int = 100
    ask_timeout_s: float = 600.0
    top_k: int = 3
    final_replicates: int = 1

    def __post_init__(self) -> None:
        for name in ("parallel", "max_duplicates"):
            if getattr(self, name) < 1:
                raise InvalidSetting(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("seed", "initial_design", "top_k", "final_replicates"):
            if getattr(self, name) < 0:
                raise InvalidSetting(f"{name} must not be negative, got {getattr(self, name)}")
        if self.duplicates not in ("reuse", "retrain"):
            raise InvalidSetting(f"duplicates must be reuse or retrain, got {self.duplicates!r}")


MakeSearcher = Callable[[np.random.Generator], Searcher]
Watch = Callable[[Trial, Ledger], None]


def run_to_end(
    folder: RunFolder,
    make_searcher: MakeSearcher,
    proxy: Proxy,
    settings: LoopSettings,
    *,
    final_proxy: Proxy | None = None,
    max_parallel: int | None = None,
    watch: Watch | None = None,
) -> list[Trial]:
    """Run to the end, from wherever the folder stands, and return all trials.

    `final_proxy` trains the best patterns again, by default `proxy` itself. All else is as `search`
    has it.
    """
    run = search(folder, make_searcher, proxy, settings, max_parallel=max_parallel, watch=watch)
    retrain_best([run], final_proxy or proxy)
    return run.trials


def search(
    folder: RunFolder,
    make_searcher: MakeSearcher,
    proxy: Proxy,
    settings: LoopSettings,
    *,
    max_parallel: int | None = None,
    watch: Watch | None = None,
) -> FinishedSearch:
    """Search to the end, from wherever the folder stands; `retrain_best` does the rest.

    `make_searcher` is given the searcher's own random stream. `watch` is called after each trial.
    Raises SearcherFailed (recorded, resumable) and InvalidSetting for a budget below one trial.
    """
    journal = Journal(folder)
    if journal.is_searched:
        return _finish_search(journal, journal.trials_on_record(), settings)
    rng = stream(settings.seed, "searcher")
    with TimeLimit(settings.ask_timeout_s) as limit:
        run = _Run(proxy, settings, journal, _Guarded(make_searcher, rng, journal, limit), watch)
        reason = run.ask_and_settle(max_parallel)
    journal.record_search_end(reason, run.ledger)
    return _finish_search(journal, run.trials, settings)


def load_finished_search(folder: RunFolder, settings: LoopSettings) -> FinishedSearch:
    """What `search` returned when it ended in this folder, maybe in another process."""
    journal = Journal(folder)
    if not journal.is_searched:
        raise NasArenaError(f"{folder.path}: its search has not ended; run the same command again")
    return _finish_search(journal, journal.trials_on_record(), settings)


def _finish_search(journal: Journal, trials: list[Trial], settings: LoopSettings) -> FinishedSearch:
    return FinishedSearch(journal, trials, settings.seed, settings.top_k, settings.final_replicates)


@dataclass(slots=True)
class _Run:
    """The state of one run while it is going."""

    proxy: Proxy
    settings: LoopSettings
    journal: Journal
    searcher: "_Guarded"
    watch: Watch | None
    trials: list[Trial] = field(default_factory=list)
    evaluated: dict[str, list[Trial]] = field(default_factory=dict)  # by pattern, in order
    payments: Payments = field(default_factory=Payments)
    free_in_a_row: int = 0
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.settings.budget)

    def ask_and_settle(self, max_parallel: int | None) -> str:
        """Ask and settle until the run ends; returns why it ended."""
        batch_size = min(self.settings.parallel, max_parallel or self.settings.parallel)
        for proposals in self._batches(batch_size):
            if not proposals:
                return "the searcher stopped asking"
            batch, reason = self._evaluate(proposals)
            self.searcher.tell(batch)
            if reason:
                return reason
        raise AssertionError("batches never end by themselves")

    def _batches(self, batch_size: int) -> Iterator[Sequence[Proposal]]:
        design = initial_design(self.proxy, self.settings)
        if design:
            self.journal.record_ask(len(self.trials), design, measured={})
            yield design
        while True:
            start = time.perf_counter()
            proposals = self.searcher.ask(batch_size)
            measured = {"ask_s": time.perf_counter() - start, "tell_s": self.searcher.tell_s}
            if proposals:
                self.journal.record_ask(len(self.trials), proposals, measured)
            for proposal in proposals:
                if proposal.llm is not None:
                    self.ledger.charge_llm(proposal.llm)
            yield proposals

    def _evaluate(self, proposals: Sequence[Proposal]) -> tuple[list[Trial], str | None]:
        """Settle a batch in order; the second value says why the run must end after it."""
        plans, reason = self._plan(proposals)
        self._train(plans)
        batch: list[Trial] = []
        for plan in plans:
            trial = self._settle(plan)
            batch.append(trial)
            if self.free_in_a_row >= self.settings.max_duplicates:
                return batch, self._explain_stall(batch)
        return batch, reason

    def _plan(self, proposals: Sequence[Proposal]) -> tuple[list["_Plan"], str | None]:
        """Check and reserve; plans after the first trial that does not fit are not made."""
        plans: list[_Plan] = []
        for proposal in proposals:
            index = len(self.trials) + len(plans)
            plan = _Plan(index, proposal, trial=self.journal.replay_trial(index))
            plans.append(plan)
            try:
                pattern = self.proxy.space.validate(proposal.pattern)
                fidelity = check_fidelity(proposal.fidelity)
            except InvalidPattern as error:
                plan.note = str(error)
                continue
            repeated = self.payments.covers(pattern, fidelity)
            if repeated and self.settings.duplicates == "reuse":
                plan.is_duplicate = True
                continue
            plan.replicate, reached = self.payments.next(pattern, fidelity)
            plan.paid = cost_at(self.proxy, pattern, reached) if reached else Cost()
            cost = cost_at(self.proxy, pattern, fidelity) - plan.paid
            if plan.trial is not None:  # charged already, maybe at other seconds than today's
                cost = plan.trial.cost
            share = 1 if fidelity == 1 and not reached else fidelity - reached
            try:
                plan.reservation = self.ledger.reserve(cost, share)
            except BudgetSpent as error:
                if not self.trials and len(plans) == 1:
                    raise InvalidSetting(
                        f"the budget is too small for one trial: {error}"
                    ) from error
                return plans[:-1], f"budget spent: {error}"
            self.payments.pay(pattern, plan.replicate, fidelity)
        return plans, None

    def _train(self, plans: Sequence["_Plan"]) -> None:
        """Evaluate at once what the record does not answer.

        A batch that was cut in the middle is evaluated whole again: in a smaller population the
        last digits could differ.
        """
        charged = [plan for plan in plans if plan.reservation is not None]
        if all(plan.trial is not None for plan in charged):
            return
        patterns = [plan.proposal.pattern for plan in charged]
        seeds = [TrialSeed(self.settings.seed, plan.replicate) for plan in charged]
        fidelities = [plan.proposal.fidelity for plan in charged]
        outcomes = evaluate_at(self.proxy, patterns, seeds, fidelities)
        for plan, outcome in zip(charged, outcomes, strict=True):
            if plan.trial is not None:
                continue
            plan.measured_s = outcome.measured_s
            plan.trial = plan.new_trial(
                status=outcome.status,
                score=outcome.score,
                metrics=dict(outcome.metrics),
                cost=outcome.cost - plan.paid,
                note=outcome.note,
            )

    def _settle(self, plan: "_Plan") -> Trial:
        pattern = plan.proposal.pattern
        trial = plan.trial
        if trial is None:
            if plan.is_duplicate:
                trial = plan.new_duplicate(self.evaluated[pattern])
            else:
                trial = plan.new_trial(
                    status="invalid",
                    note=plan.note,
                    pattern=describe_pattern(pattern),
                    fidelity=1.0,
                )
        if plan.reservation is not None:
            self.ledger.settle(plan.reservation, trial.cost)
            self.evaluated.setdefault(pattern, []).append(trial)
        self.free_in_a_row = 0 if plan.reservation is not None else self.free_in_a_row + 1
        self.journal.record_trial(trial, self.ledger, plan.measured_s)
        self.trials.append(trial)
        if self.watch is not None:
            self.watch(trial, self.ledger)
        return trial

    def _explain_stall(self, batch: Sequence[Trial]) -> str:
        """Free trials only, for too long: an end for a searcher that converged, else a failure."""
        count = self.free_in_a_row
        last = self.trials[-count:]
        if all(trial.status == "invalid" for trial in last):
            self.journal.record_failure(f"{count} invalid proposals in a row: {last[-1].note}", "")
            raise SearcherFailed(
                f"the searcher made {count} invalid proposals in a row, the last: {last[-1].note}"
            )
        return f"{count} duplicates in a row"


@dataclass(slots=True)
class _Plan:
    """What the loop has decided about one proposal before anything is trained.

    `paid` is what the run has been charged for this training already, at lower fidelity.
    """

    index: int
    proposal: Proposal
    note: str = ""
    is_duplicate: bool = False
    replicate: int = 0
    paid: Cost = field(default_factory=Cost)
    reservation: Reservation | None = None
    measured_s: float = 0.0
    trial: Trial | None = None

    def new_trial(self, **values: Any) -> Trial:
        proposal = self.proposal
        values = {"pattern": proposal.pattern, "fidelity": proposal.fidelity, **values}
        return Trial(
            index=self.index,
            replicate=self.replicate,
            provenance=proposal.provenance,
            parents=proposal.parents,
            details=dict(proposal.details),
            llm=proposal.llm,
            **values,
        )

    def new_duplicate(self, evaluated: Sequence[Trial]) -> Trial:
        """Answered by the evaluation that is nearest of those at this fidelity or above."""
        enough = [trial for trial in evaluated if trial.fidelity >= self.proposal.fidelity]
        first = min(enough, key=lambda trial: trial.fidelity)
        trial = self.new_trial(status="duplicate", score=first.score, metrics=first.metrics)
        return replace(trial, duplicate_of=first.index, note=first.note, fidelity=first.fidelity)


def initial_design(proxy: Proxy, settings: LoopSettings) -> list[Proposal]:
    """Distinct random patterns, fixed by the seed alone: every searcher starts from the same."""
    rng = stream(settings.seed, "initial design")
    patterns: dict[str, None] = {}
    while len(patterns) < min(settings.initial_design, proxy.space.size):
        patterns[proxy.space.sample(rng)] = None
    return [Proposal(pattern, provenance="initial_design") for pattern in patterns]


class _Guarded:
    """A searcher behind a fence: exceptions, endless loops and nonsense become SearcherFailed."""

    def __init__(
        self, make: MakeSearcher, rng: np.random.Generator, journal: Journal, limit: TimeLimit
    ) -> None:
        self._journal, self._limit = journal, limit
        self.tell_s = 0.0
        self._searcher: Searcher = self._call("setting up", lambda: make(rng))

    def ask(self, n: int) -> list[Proposal]:
        """Up to `n` proposals. What is no pattern at all stays in and is found invalid later."""
        answer = self._call("ask", lambda: self._searcher.ask(n))
        if isinstance(answer, str) or not isinstance(answer, Sequence):
            self._fail(f"ask must return a list of patterns, got {type(answer).__name__}")
        if len(answer) > n:
            self._fail(f"ask was asked for at most {n} patterns, got {len(answer)}")
        return [item if isinstance(item, Proposal) else Proposal(item) for item in answer]

    def tell(self, trials: Sequence[Trial]) -> None:
        start = time.perf_counter()
        self._call("tell", lambda: self._searcher.tell(trials))
        self.tell_s = time.perf_counter() - start

    def _call(self, what: str, function: Callable[[], Any]) -> Any:
        try:
            with self._limit.running(what):
                return function()
        except InvalidPattern as error:  # its own doing, unlike a server that went away
            self._fail(f"{what} raised {type(error).__name__}: {error}", traceback.format_exc())
        except NasArenaError:
            raise
        except Exception as error:
            self._fail(f"{what} raised {type(error).__name__}: {error}", traceback.format_exc())

    def _fail(self, reason: str, trace: str = "") -> None:
        self._journal.record_failure(reason, trace)
        raise SearcherFailed(f"the searcher failed: {reason}")
