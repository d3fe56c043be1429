"""The one loop: ask -> check -> quote -> reserve -> evaluate -> settle -> record -> tell.

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from nasarena.search.budget import Account, Budget, Duplicates, Ledger
from nasarena.search.candidates.protocol import identity, text_limit
from nasarena.search.entry import Entry
from nasarena.search.errors import (
    BudgetSpent,
    InvalidPattern,
    InvalidSetting,
    NasArenaError,
    SearcherFailed,
)
from nasarena.search.fidelity import check_fidelity, evaluate_at
from nasarena.search.guarded_searcher import GuardedSearcher, MakeSearcher, TimeLimit
from nasarena.search.journal import Journal
from nasarena.search.proxy import Proxy, TrialSeed
from nasarena.search.retraining import (
    FinishedSearch,
    NameFinalists,
    best_patterns,
    retrain_best,
)
from nasarena.search.run_folder import RunFolder
from nasarena.search.seeding import stream
from nasarena.search.trial import Outcome, Proposal, Trial

FinalistRule = Literal["score", "model"]


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """What the loop needs to know besides searcher and proxy; see DESIGN for the meaning.

    `max_duplicates` bounds the free trials (duplicates and invalid proposals) in a row.
    `finalists` patterns are trained again `final_replicates` times each after the search: those of
    highest observed score, or those that a model of the run's trials puts highest
    (`nasarena.search.models.finalists`); whoever calls hands the rule over.
    """

    seed: int
    budget: Budget
    initial_design: int = 4
    parallel: int = 1
    duplicates: Duplicates = "reuse"
    max_duplicates: int = 100
    ask_timeout_s: float = 600.0
    finalists: int = 5
    final_replicates: int = 4
    finalists_by: FinalistRule = "model"

    def __post_init__(self) -> None:
        for name in ("parallel", "max_duplicates"):
            if getattr(self, name) < 1:
                raise InvalidSetting(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("seed", "initial_design", "finalists", "final_replicates"):
            if getattr(self, name) < 0:
                raise InvalidSetting(f"{name} must not be negative, got {getattr(self, name)}")
        if self.duplicates not in get_args(Duplicates):
            raise InvalidSetting(f"duplicates must be reuse or retrain, got {self.duplicates!r}")
        if self.finalists_by not in get_args(FinalistRule):
            raise InvalidSetting(f"finalists_by must be score or model, got {self.finalists_by!r}")


BUDGET_SPENT = "budget spent"  # how the reason begins for which most runs end
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
    journal = Journal(folder)
    run = search(journal, make_searcher, proxy, settings, max_parallel=max_parallel, watch=watch)
    retrain_best([run], final_proxy or proxy)
    return run.trials


def search(
    journal: Journal,
    make_searcher: MakeSearcher,
    proxy: Proxy,
    settings: LoopSettings,
    *,
    max_parallel: int | None = None,
    watch: Watch | None = None,
) -> FinishedSearch:
    """Search to the end, from wherever the record stands; `retrain_best` does the rest.

    `journal` is the one writer of the run: what a searcher records goes through it too.
    `make_searcher` is given the searcher's own random stream. `watch` is called after each trial.
    Raises SearcherFailed (recorded, resumable) and InvalidSetting for a budget below one trial.
    """
    if journal.is_searched:
        return _finish_search(journal, journal.trials_on_record(), settings)
    rng = stream(settings.seed, "searcher")
    with TimeLimit(settings.ask_timeout_s) as limit:
        searcher = GuardedSearcher(make_searcher, rng, journal, limit)
        run = _Run(proxy, settings, journal, searcher, watch)
        reason = run.ask_and_settle(max_parallel)
        count = settings.finalists
        recommended = searcher.recommend(count, proxy.space) if count else None
    if recommended is not None:
        journal.record_recommendation(recommended)
    journal.record_search_end(reason, run.account.ledger)
    return _finish_search(journal, run.trials, settings)


def load_finished_search(
    folder: RunFolder,
    settings: LoopSettings,
    name: NameFinalists = best_patterns,
    trains_others: bool = True,
) -> FinishedSearch:
    """What `search` returned when it ended in this folder, maybe in another process.

    `name` finds the patterns that are to be trained again; `trains_others` as of FinishedSearch.

    Raises NasArenaError while the search has not ended.
    """
    journal = Journal(folder)
    if not journal.is_searched:
        raise NasArenaError(f"{folder.path}: its search has not ended; run the same command again")
    trials = journal.trials_on_record()
    return _finish_search(journal, trials, settings, name, trains_others)


def _finish_search(
    journal: Journal,
    trials: list[Trial],
    settings: LoopSettings,
    name: NameFinalists = best_patterns,
    trains_others: bool = True,
) -> FinishedSearch:
    return FinishedSearch(
        journal,
        trials,
        settings.seed,
        settings.finalists,
        settings.final_replicates,
        name,
        trains_others,
    )


@dataclass(slots=True)
class _Run:
    """The state of one run while it is going."""

    proxy: Proxy
    settings: LoopSettings
    journal: Journal
    searcher: GuardedSearcher
    watch: Watch | None
    trials: list[Trial] = field(default_factory=list)
    evaluated: dict[str, list[Trial]] = field(default_factory=dict)  # by pattern, in order
    free_in_a_row: int = 0
    account: Account = field(init=False)

    def __post_init__(self) -> None:
        self.account = Account(self.proxy, self.settings.budget, self.settings.duplicates)

    def ask_and_settle(self, max_parallel: int | None) -> str:
        """Ask and settle until the run ends; returns why it ended."""
        batch_size = min(self.settings.parallel, max_parallel or self.settings.parallel)
        for proposals in self._batches(batch_size):
            if not proposals:
                return "the searcher stopped asking"
            entries, reason = self._check_and_reserve(proposals)
            batch, stalled = self._settle_batch(entries, self._evaluate(entries))
            self.searcher.tell(batch)
            if stalled or reason:
                return stalled or reason
        raise AssertionError("batches never end by themselves")

    def _batches(self, batch_size: int) -> Iterator[Sequence[Proposal]]:
        design = [self._in_recorded_form(one) for one in initial_design(self.proxy, self.settings)]
        if design:
            self._record_ask(design, measured={})
            yield design
        while True:
            start = time.perf_counter()
            proposals = [self._in_recorded_form(one) for one in self.searcher.ask(batch_size)]
            measured = {"ask_s": time.perf_counter() - start, "tell_s": self.searcher.tell_s}
            if proposals:
                self._record_ask(proposals, measured)
            for proposal in proposals:
                if proposal.llm is not None:
                    self.account.ledger.charge_llm(proposal.llm)
            yield proposals

    def _in_recorded_form(self, proposal: Proposal) -> Proposal:
        """With the candidate as its space writes it; what the space refuses stays as it is."""
        try:
            return replace(proposal, pattern=self.proxy.space.validate(proposal.pattern))
        except InvalidPattern:
            return proposal

    def _record_ask(self, proposals: Sequence[Proposal], measured: Mapping[str, float]) -> None:
        limit = text_limit(self.proxy.space)
        self.journal.record_ask(len(self.trials), proposals, measured, limit)

    def _check_and_reserve(self, proposals: Sequence[Proposal]) -> tuple[list[Entry], str]:
        """Entries up to the first that does not fit; the second value says why there is an end."""
        entries: list[Entry] = []
        for index, proposal in enumerate(proposals, start=len(self.trials)):
            try:
                entries.append(self._enter(index, proposal))
            except BudgetSpent as error:
                if index == 0:
                    raise InvalidSetting(
                        f"the budget is too small for one trial: {error}"
                    ) from error
                return entries, f"{BUDGET_SPENT}: {error}"
        return entries, ""

    def _enter(self, index: int, proposal: Proposal) -> Entry:
        """Check, quote, reserve. Raises BudgetSpent."""
        recorded = self.journal.replay_trial(index)
        try:
            pattern = self.proxy.space.validate(proposal.pattern)
            fidelity = check_fidelity(proposal.fidelity)
        except InvalidPattern as error:
            limit = text_limit(self.proxy.space)
            return Entry(index, proposal, recorded, note=str(error), text_limit=limit)
        quote = self.account.quote(pattern, fidelity)
        if quote.is_duplicate:
            return Entry(index, proposal, recorded, quote)
        if recorded is not None:  # charged already, maybe at other seconds than today's
            quote = replace(quote, cost=recorded.cost)
        return Entry(index, proposal, recorded, quote, self.account.reserve(quote))

    def _evaluate(self, entries: Sequence[Entry]) -> dict[int, Outcome]:
        """Outcomes by trial index, all at once; none where the record has every trial.

        A batch that was cut in the middle is evaluated whole again: in a smaller population the
        last digits could differ.
        """
        reserved = [entry for entry in entries if entry.reservation is not None]
        if all(entry.recorded is not None for entry in reserved):
            return {}
        patterns = [entry.proposal.pattern for entry in reserved]
        seeds = [TrialSeed(self.settings.seed, entry.quote.replicate) for entry in reserved]
        fidelities = [entry.proposal.fidelity for entry in reserved]
        outcomes = evaluate_at(self.proxy, patterns, seeds, fidelities)
        return {entry.index: outcome for entry, outcome in zip(reserved, outcomes, strict=True)}

    def _settle_batch(
        self, entries: Sequence[Entry], outcomes: Mapping[int, Outcome]
    ) -> tuple[list[Trial], str]:
        """Settle in order; the second value says why, if the run has come to a standstill."""
        batch: list[Trial] = []
        for entry in entries:
            batch.append(self._settle(entry, outcomes.get(entry.index)))
            if self.free_in_a_row >= self.settings.max_duplicates:
                return batch, self._explain_stall()
        return batch, ""

    def _settle(self, entry: Entry, outcome: Outcome | None) -> Trial:
        """Charge a trial, record it and show it to whoever watches."""
        measured_s = 0.0
        if entry.recorded is not None:
            trial = entry.recorded
        elif outcome is not None:
            trial, measured_s = entry.evaluation(outcome), outcome.measured_s
        elif entry.quote.is_duplicate:
            trial = entry.duplicate(self.evaluated[self._name(entry)])
        else:
            trial = entry.invalid()
        self.free_in_a_row += 1
        if entry.reservation is not None:
            self.free_in_a_row = 0
            self.account.ledger.settle(entry.reservation, trial.cost)
            self.evaluated.setdefault(self._name(entry), []).append(trial)
        self.journal.record_trial(trial, self.account.ledger, measured_s)
        self.trials.append(trial)
        if self.watch is not None:
            self.watch(trial, self.account.ledger)
        return trial

    def _name(self, entry: Entry) -> str:
        return identity(self.proxy.space, entry.proposal.pattern)

    def _explain_stall(self) -> str:
        """Free trials only, for too long: an end for a searcher that converged, else a failure."""
        count = self.free_in_a_row
        last = self.trials[-count:]
        if all(trial.status == "invalid" for trial in last):
            self.journal.record_failure(f"{count} invalid proposals in a row: {last[-1].note}", "")
            raise SearcherFailed(
                f"the searcher made {count} invalid proposals in a row, the last: {last[-1].note}"
            )
        return f"{count} duplicates in a row"


def initial_design(proxy: Proxy, settings: LoopSettings) -> list[Proposal]:
    """Distinct random patterns, fixed by the seed alone: every searcher starts from the same."""
    rng = stream(settings.seed, "initial design")
    count = min(settings.initial_design, proxy.space.size)
    patterns = proxy.space.sample_distinct(count, rng)
    return [Proposal(pattern, provenance="initial_design") for pattern in patterns]
