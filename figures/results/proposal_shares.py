"""What became of the proposals of a language model, as shares of all."""

from collections import Counter
from collections.abc import Sequence

from nasarena.search.trial import Trial


def proposal_shares(trials: Sequence[Trial]) -> dict[str, float]:
    """Well-formed ones could be scored or repeat a pattern; the others say what that took."""
    statuses = Counter(trial.status for trial in trials)
    origins = Counter(trial.provenance for trial in trials)
    return {
        "well_formed_share": 1 - statuses["invalid"] / len(trials),
        "repaired_share": origins["llm-repaired"] / len(trials),
        "resampled_share": origins["llm-resampled"] / len(trials),
        "salvaged_share": origins["llm-salvaged"] / len(trials),
        "duplicate_share": statuses["duplicate"] / len(trials),
    }
