"""A proxy that trains nothing: it hands out what a run's own trainings came to.

So a search over real trainings can be replayed in seconds and on any machine, where the trainings
themselves would take as long as the first time and have other last digits.
"""

from collections.abc import Sequence

from nasarena.search.candidates.protocol import identity
from nasarena.search.errors import NasArenaError
from nasarena.search.fidelity import ProxyWrapper
from nasarena.search.proxy import Proxy, Split, TrialSeed
from nasarena.search.run_folder import RunRecord
from nasarena.search.trial import Cost, Outcome, Trial


class NotRecorded(NasArenaError):
    """A training that the run did not carry out."""


class RecordedOutcomes(ProxyWrapper):
    """The outcomes of the search of `record`, which `proxy` trained.

    What a pattern costs is taken from there as well: its seconds are from the calibration of the
    machine that trained it. `proxy` says what patterns cost that were not trained.
    """

    def __init__(self, proxy: Proxy, record: RunRecord) -> None:
        super().__init__(proxy)
        self._trials = {
            self._key(trial.pattern, trial.replicate, trial.fidelity): trial
            for trial in record.trials()
            if trial.status in ("ok", "failed")
        }

    def cost(self, pattern: str, fidelity: float = 1.0) -> Cost:
        """What the first training of `pattern` took."""
        trial = self._trials.get(self._key(pattern, 0, fidelity))
        return trial.cost if trial is not None else super().cost(pattern, fidelity)

    def evaluate(
        self,
        patterns: Sequence[str],
        seeds: Sequence[TrialSeed],
        split: Split = "search",
        fidelities: Sequence[float] | None = None,
    ) -> list[Outcome]:
        """What is on record. Raises NotRecorded for a training that is not, and for held-out data,
        which no search is scored on."""
        if split != "search":
            raise NotRecorded("a record of trials has no scores on held-out data")
        shares = [1.0] * len(patterns) if fidelities is None else fidelities
        asked = zip(patterns, seeds, shares, strict=True)
        return [self._outcome(*one) for one in asked]

    def _outcome(self, pattern: str, seed: TrialSeed, fidelity: float) -> Outcome:
        trial = self._trials.get(self._key(pattern, seed.replicate, fidelity))
        if trial is None:
            raise NotRecorded(f"{pattern} was not trained in the recorded run")
        return _outcome_of(trial)

    def _key(self, pattern: str, replicate: int, fidelity: float) -> tuple[str, int, float]:
        return identity(self.space, pattern), replicate, fidelity


def _outcome_of(trial: Trial) -> Outcome:
    if trial.status == "failed":
        return Outcome("failed", None, trial.cost, trial.metrics, note=trial.note)
    return Outcome("ok", trial.score, trial.cost, trial.metrics, note=trial.note)
